// The sign-in form. The address does not change, so the requested page opens afterwards.

import { useState } from "preact/hooks";
import { post, session } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { Session } from "../api/types.ts";
import { ProblemBox } from "../ui/problem.tsx";
import { Title } from "../ui/title.tsx";

export function SignInPage() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem(null);
    try {
      session.value = await post<Session>("session", { username: form.get("username"), password: form.get("password") });
    } catch (error) {
      setProblem(Problem.of(error));
      setBusy(false);
    }
  };
  return (
    <div class="sign-in card">
      <Title text="Sign in" />
      <form onSubmit={(event) => void submit(event)}>
        <div class="field">
          <label for="username">Username</label>
          <input id="username" name="username" autocomplete="username" autocapitalize="none" required autofocus />
        </div>
        <div class="field">
          <label for="password">Password</label>
          <input id="password" name="password" type="password" autocomplete="current-password" required />
        </div>
        <ProblemBox problem={problem} />
        <button type="submit" class="primary" disabled={busy}>Sign in</button>
      </form>
    </div>
  );
}
