// Accounts, tokens and retention.

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
      {session.value?.open && <p class="lead">No accounts exist: anyone who can reach this server has full access. Create an account to require sign-in.</p>}
      <div class="stack">
        {staff && <Accounts />}
        <Tokens />
        {staff && <Retention />}
      </div>
    </>
  );
}
