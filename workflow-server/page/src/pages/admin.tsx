// Accounts, tokens, and how long runs are kept.

import { isStaff, session } from "../api/client.ts";
import { Title } from "../ui/title.tsx";
import { Accounts } from "./accounts.tsx";
import { Retention } from "./retention.tsx";
import { Tokens } from "./tokens.tsx";

export function AdminPage() {
  const staff = isStaff();
  return (
    <>
      <Title text={staff ? "Admin" : "Tokens"} />
      {session.value?.open && <p class="lead">No accounts exist: everybody who reaches this server may do everything. The first account ends that.</p>}
      <div class="stack">
        {staff && <Accounts />}
        <Tokens />
        {staff && <Retention />}
      </div>
    </>
  );
}
