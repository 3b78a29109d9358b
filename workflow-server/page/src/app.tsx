// The frame around every page: navigation, notices, and the current page.

import { useEffect, useRef, useState } from "preact/hooks";
import { isStaff, loadSession, remove, session } from "./api/client.ts";
import { Problem } from "./api/problem.ts";
import { AdminPage } from "./pages/admin.tsx";
import { AssetPage } from "./pages/asset.tsx";
import { AssetsPage } from "./pages/assets.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { RunPage } from "./pages/run.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { WorkersPage } from "./pages/workers.tsx";
import { WorkflowPage } from "./pages/workflow.tsx";
import { WorkflowsPage } from "./pages/workflows.tsx";
import { dropUnsaved, mayLeave, route, settle, type Route } from "./route.ts";
import { attempt, ConnectionBanner, Notices } from "./ui/notice.tsx";
import { ProblemBox, Loading } from "./ui/problem.tsx";
import { ThemeSwitch } from "./ui/theme.tsx";

export function App() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const main = useRef<HTMLElement>(null);
  const start = () => {
    setProblem(null);
    loadSession().catch((error: unknown) => setProblem(Problem.of(error)));
  };
  useEffect(start, []);
  const now = session.value;
  const path = route.value.path.join("/");
  const before = useRef(path);
  useEffect(() => {
    // Move the focus to a new page, so that screen readers start at its title. The first page keeps the browser's focus.
    if (before.current !== path) main.current?.focus({ preventScroll: true });
    if (before.current !== path) settle();
    before.current = path;
  }, [path]);
  const signedIn = now !== null && (now.open || now.user !== null);
  return (
    <>
      <a class="skip" href={`#/${path}`} onClick={(event) => (event.preventDefault(), main.current?.focus())}>Skip to content</a>
      <Header signedIn={signedIn} />
      <ConnectionBanner />
      <main ref={main} tabIndex={-1}>
        <ProblemBox problem={problem} retry={start} />
        {!now && !problem && <Loading what="the page" />}
        {now && (signedIn ? <CurrentPage key={path} route={route.value} /> : <SignInPage />)}
      </main>
      <Notices />
    </>
  );
}

function CurrentPage({ route }: { route: Route }) {
  const [page, id] = route.path;
  if (page === undefined || (page === "workflows" && !id)) return <WorkflowsPage route={route} />;
  if (page === "workflows" && id) return <WorkflowPage id={id} route={route} />;
  if (page === "runs" && !id) return <RunsPage route={route} />;
  if (page === "runs" && id) return <RunPage id={id} route={route} />;
  if (page === "assets" && !id) return <AssetsPage />;
  if (page === "assets" && id) return <AssetPage name={id} route={route} />;
  if (page === "overview") return <OverviewPage />;
  if (page === "workers") return <WorkersPage />;
  if (page === "admin") return <AdminPage />;
  return (
    <>
      <h1>Page not found</h1>
      <p><a href="#/workflows">Go to workflows</a></p>
    </>
  );
}

function Header({ signedIn }: { signedIn: boolean }) {
  const here = route.value.path[0] ?? "workflows";
  const staff = isStaff();
  const pages = [["workflows", "Workflows"], ["runs", "Runs"], ["assets", "Assets"], ["overview", "Overview"], ...(staff ? [["workers", "Workers"]] : []), ["admin", staff ? "Admin" : "Tokens"]];
  return (
    <header class="top">
      <a class="brand" href="#/workflows" aria-label="Workflow: all workflows">
        <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
          <path d="M5 5h4a3 3 0 0 1 3 3v4a3 3 0 0 0 3 3M5 5v10" />
          <circle cx="5" cy="5" r="2.5" /><circle cx="5" cy="15" r="2.5" /><circle cx="15" cy="15" r="2.5" />
        </svg>
        <span>Workflow</span>
      </a>
      {signedIn && (
        <nav aria-label="Pages">
          {pages.map(([path, name]) => (
            <a key={path} href={`#/${path}`} aria-current={here === path ? "page" : undefined}>{name}</a>
          ))}
        </nav>
      )}
      <div class="top-end">
        <ThemeSwitch />
        <UserMenu />
      </div>
    </header>
  );
}

function UserMenu() {
  const now = session.value;
  if (!now) return null;
  if (now.open) return <span class="who" title="No accounts exist: anyone who can reach this server has full access">no sign-in</span>;
  if (!now.user) return null;
  const signOut = async () => {
    if (!mayLeave()) return;
    await remove("session");
    dropUnsaved();
    await loadSession();
  };
  return (
    <span class="who">
      <span class="who-name" title={now.user.is_staff ? "staff" : "user"}>{now.user.username}</span>
      <button type="button" onClick={() => void attempt(signOut)}>Sign out</button>
    </span>
  );
}
