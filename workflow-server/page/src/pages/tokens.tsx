// API tokens: create, show once, revoke.

import { useState } from "preact/hooks";
import { get, isStaff, post, remove } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import { Problem } from "../api/problem.ts";
import type { Token } from "../api/types.ts";
import { CopyButton } from "../ui/copy.tsx";
import { Confirm, Dialog } from "../ui/dialog.tsx";
import { attempt, notify } from "../ui/notice.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Ago } from "../ui/time.tsx";

export function Tokens() {
  const list = useLoad((signal) => get<{ items: Token[] }>("tokens", {}, signal), []);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const revoke = async (token: Token) => {
    await remove(`tokens/${encodeURIComponent(token.id)}`);
    notify(`Revoked token ${token.name}`);
    list.reload();
  };
  return (
    <section class="card" aria-label="Tokens">
      <div class="panel-head">
        <h2>Tokens</h2>
        <button type="button" onClick={() => setMaking(true)}>New token</button>
      </div>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {!list.data && list.loading && <Loading what="tokens" />}
      {list.data?.items.length === 0 && <p class="empty">No tokens yet.</p>}
      {list.data && list.data.items.length > 0 && (
        <table class="rows" role="table" aria-label="Tokens">
          <thead>
            <tr role="row">
              <th role="columnheader" scope="col">Name</th><th role="columnheader" scope="col">Scope</th><th role="columnheader" scope="col">User</th>
              <th role="columnheader" scope="col">Created</th><th role="columnheader" scope="col">Expires</th><th role="columnheader" scope="col" class="end">Actions</th>
            </tr>
          </thead>
          <tbody>
            {list.data.items.map((token) => (
              <tr role="row" key={token.id}>
                <td role="cell" class="name">{token.name}</td>
                <td role="cell" data-label="Scope">{token.scope}</td>
                <td role="cell" data-label="User">{token.user ?? "–"}</td>
                <td role="cell" data-label="Created"><Ago at={token.created_at} /></td>
                <td role="cell" data-label="Expires">{token.expires_at ? <Ago at={token.expires_at} /> : "never"}</td>
                <td role="cell" class="end"><button type="button" class="danger" aria-label={`Revoke ${token.name}`} onClick={() => setRevoking(token)}>Revoke</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {making && <NewToken close={() => setMaking(false)} made={list.reload} />}
      {revoking && (
        <Confirm title={`Revoke token ${revoking.name}?`} text="Requests with this token will be rejected." action="Revoke"
          run={() => void attempt(() => revoke(revoking))} close={() => setRevoking(null)} />
      )}
    </section>
  );
}

function NewToken({ close, made }: { close: () => void; made: () => void }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [token, setToken] = useState<Token | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setProblem(null);
    try {
      const expires = String(form.get("expires_in"));
      setToken(await post<Token>("tokens", { name: form.get("name"), scope: form.get("scope"), ...(expires ? { expires_in: expires } : {}) }));
      made();
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  if (token) {
    return (
      <Dialog key="made" title={`Token ${token.name}`} close={close}>
        <p>Copy the token now and store it safely. It is not shown again.</p>
        <p class="secret"><code>{token.token}</code> <CopyButton text={() => token.token ?? ""} label="Copy token" /></p>
        <div class="actions end"><button type="button" class="primary" onClick={close}>Done</button></div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New token" close={close}>
      <form onSubmit={(event) => void submit(event)}>
        <div class="field"><label for="token-name">Name</label><input id="token-name" name="name" required autocomplete="off" /></div>
        <div class="field">
          <label for="token-scope">Scope</label>
          <select id="token-scope" name="scope">
            <option value="read">read</option>
            <option value="run">run (includes read)</option>
            <option value="write">write (includes read and run)</option>
            {isStaff() && <option value="admin">admin (full access)</option>}
          </select>
        </div>
        <div class="field">
          <label for="token-expires">Expires after</label>
          <select id="token-expires" name="expires_in">
            <option value="7d">7 days</option><option value="30d" selected>30 days</option><option value="90d">90 days</option><option value="365d">365 days</option>
          </select>
        </div>
        <ProblemBox problem={problem} />
        <div class="actions end"><button type="submit" class="primary">Create</button></div>
      </form>
    </Dialog>
  );
}
