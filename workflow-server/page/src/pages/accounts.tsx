// The accounts of the server.

import { useState } from "preact/hooks";
import { get, loadSession, patch, post, remove, session } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import { Problem } from "../api/problem.ts";
import type { Account } from "../api/types.ts";
import { Confirm, Dialog } from "../ui/dialog.tsx";
import { attempt, notify } from "../ui/notice.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";

type Open = { what: "new" } | { what: "password" | "delete"; account: Account } | null;

export function Accounts() {
  const list = useLoad((signal) => get<{ items: Account[] }>("users", {}, signal), []);
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);
  const change = async (account: Account, key: "is_staff" | "is_active", box: HTMLInputElement) => {
    const done = await attempt(async () => {
      await patch(`users/${encodeURIComponent(account.username)}`, { [key]: box.checked });
      list.reload();
      return true;
    });
    // The server refused the change: restore the checkbox.
    if (!done) box.checked = account[key];
  };
  const erase = async (account: Account) => {
    await remove(`users/${encodeURIComponent(account.username)}`);
    notify(`Deleted account ${account.username}`);
    list.reload();
  };
  return (
    <section class="card" aria-label="Accounts">
      <div class="panel-head">
        <h2>Accounts</h2>
        <button type="button" onClick={() => setOpen({ what: "new" })}>New account</button>
      </div>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {!list.data && list.loading && <Loading what="accounts" />}
      {list.data?.items.length === 0 && <p class="empty">No accounts yet.</p>}
      {list.data && list.data.items.length > 0 && (
        <table class="rows" role="table" aria-label="Accounts">
          <thead>
            <tr role="row">
              <th role="columnheader" scope="col">Username</th><th role="columnheader" scope="col">Staff</th>
              <th role="columnheader" scope="col">Active</th><th role="columnheader" scope="col" class="end">Actions</th>
            </tr>
          </thead>
          <tbody>
            {list.data.items.map((account) => (
              <tr role="row" key={account.username}>
                <td role="cell" class="name">{account.username}</td>
                <td role="cell" data-label="Staff">
                  <input type="checkbox" aria-label={`${account.username} is staff`} checked={account.is_staff} onChange={(event) => void change(account, "is_staff", event.currentTarget)} />
                </td>
                <td role="cell" data-label="Active">
                  <input type="checkbox" aria-label={`${account.username} is active`} checked={account.is_active} onChange={(event) => void change(account, "is_active", event.currentTarget)} />
                </td>
                <td role="cell" class="end">
                  <button type="button" aria-label={`Change password of ${account.username}`} onClick={() => setOpen({ what: "password", account })}>Change password</button>{" "}
                  <button type="button" class="danger" aria-label={`Delete ${account.username}`} onClick={() => setOpen({ what: "delete", account })}>Delete</button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open?.what === "new" && <NewAccount close={close} made={list.reload} />}
      {open?.what === "password" && <NewPassword account={open.account} close={close} />}
      {open?.what === "delete" && (
        <Confirm title={`Delete account ${open.account.username}?`} text="Revokes all of their tokens. Their workflows stay." action="Delete"
          run={() => void attempt(() => erase(open.account))} close={close} />
      )}
    </section>
  );
}

function NewAccount({ close, made }: { close: () => void; made: () => void }) {
  const make = async (form: FormData) => {
    const username = String(form.get("username"));
    await post("users", { username, password: form.get("password"), is_staff: form.get("is_staff") === "on" });
    notify(`Created account ${username}`);
    made();
    if (session.peek()?.open) await loadSession();
  };
  return (
    <Dialog title="New account" close={close}>
      <PasswordForm run={make} close={close} action="Create">
        <div class="field"><label for="new-username">Username</label><input id="new-username" name="username" required autocomplete="off" autocapitalize="none" /></div>
        <div class="field flag"><input id="new-staff" name="is_staff" type="checkbox" /><label for="new-staff">Staff (can see and change everything)</label></div>
      </PasswordForm>
    </Dialog>
  );
}

function NewPassword({ account, close }: { account: Account; close: () => void }) {
  const set = async (form: FormData) => {
    await patch(`users/${encodeURIComponent(account.username)}`, { password: form.get("password") });
    notify(`Changed the password of ${account.username}`);
  };
  return (
    <Dialog title={`Change password of ${account.username}`} close={close}>
      <PasswordForm run={set} close={close} action="Change" />
    </Dialog>
  );
}

interface FormProps {
  run: (form: FormData) => Promise<void>;
  close: () => void;
  action: string;
  children?: preact.ComponentChildren;
}

function PasswordForm({ run, close, action, children }: FormProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    run(new FormData(event.currentTarget as HTMLFormElement)).then(close, (error: unknown) => setProblem(Problem.of(error)));
  };
  return (
    <form onSubmit={submit}>
      {children}
      <div class="field"><label for="new-password">Password</label><input id="new-password" name="password" type="password" required autocomplete="new-password" /></div>
      <ProblemBox problem={problem} />
      <div class="actions end"><button type="submit" class="primary">{action}</button></div>
    </form>
  );
}
