// All users, as administrators see them.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { when } from "../format";
import { call } from "./api/http";
import type { Grant, Invitation, Me, Role, User } from "./api/schema";
import { Badge } from "./parts/Badge";
import { Card } from "./parts/Card";
import { Dialog } from "./parts/Dialog";
import { Fetched } from "./parts/Fetched";
import { Field, Select } from "./parts/Field";
import { Table, type Column } from "./parts/Table";
import { useAct } from "./parts/useAct";
import { Secret } from "./Secret";

const ROLES: readonly (readonly [Role, string])[] = [
  ["viewer", "viewer: looks"],
  ["trader", "trader: starts, stops, halts"],
  ["admin", "admin: everything"],
];

export function Users({ me }: { me: Me }): ReactNode {
  const users = useQuery({ queryKey: ["users"], queryFn: () => call("GET /api/v1/users", {}) });
  const [open, setOpen] = useState<User | null>(null);
  const [creates, setCreates] = useState(false);
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  return (
    <Card
      title="Users"
      controls={
        <button type="button" onClick={() => setCreates(true)}>
          Invite somebody …
        </button>
      }
    >
      <Fetched what="users" from={users}>
        {({ items }) => (
          <Table
            name="Users"
            rows={items}
            columns={COLUMNS}
            rowKey={(user) => user.user_id}
            open={setOpen}
            folds
          />
        )}
      </Fetched>
      {creates && <NewUser close={() => setCreates(false)} invited={setInvitation} />}
      {open !== null && (
        <EditUser
          user={open}
          isMe={open.user_id === me.user_id}
          close={() => setOpen(null)}
          invited={setInvitation}
        />
      )}
      {invitation !== null && invitation.code !== null && (
        <Secret
          title={`An invitation for ${invitation.user.name}`}
          about={`Send this address to them. It works once, until ${when(Date.parse(invitation.expires_at))}, and is shown only now.`}
          secret={`${location.origin}/#invitation=${invitation.code}`}
          close={() => setInvitation(null)}
        />
      )}
    </Card>
  );
}

const COLUMNS: Column<User>[] = [
  { label: "Name", cell: (user) => user.name },
  {
    label: "State",
    cell: (user) => (
      <Badge mood={user.disabled ? "quiet" : "good"}>{user.disabled ? "disabled" : "active"}</Badge>
    ),
  },
  { label: "Role", cell: (user) => user.role },
  {
    label: "Theirs",
    wrap: true,
    cell: (user) =>
      user.role === "admin" ? <span className="muted">everything</span> : written(user.grants) || "nothing",
  },
  {
    label: "Proves it by",
    cell: (user) =>
      [
        user.has_password && "password",
        user.has_totp && "second factor",
        user.has_oidc && "Google",
      ]
        .filter(Boolean)
        .join(", ") || "nothing yet",
  },
  {
    label: "Last here",
    short: "last here",
    cell: (user) => (user.last_sign_in_at ? when(Date.parse(user.last_sign_in_at)) : "never"),
  },
];

function written(grants: readonly Grant[]): string {
  return grants.map(({ account, bot }) => (bot ? `${account}/${bot}` : account)).join(", ");
}

function read(text: string): Grant[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== "")
    .map((part) => {
      const [account = "", bot = ""] = part.split("/");
      return { account, bot };
    });
}

interface NewProps {
  close: () => void;
  invited: (invitation: Invitation) => void;
}

function NewUser({ close, invited }: NewProps): ReactNode {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [grants, setGrants] = useState("");
  const { busy, act } = useAct();
  const create = async (): Promise<void> => {
    const done = await act(async () => {
      invited(await call("POST /api/v1/users", { body: { name, role, grants: read(grants) } }));
    });
    if (done) close();
  };
  return (
    <Dialog title="Invite somebody" close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field
          label="Name"
          hint="With which they sign in; for Google their mail address."
          value={name}
          set={setName}
          required
          autoFocus
        />
        <Select label="Role" value={role} set={(value) => setRole(value as Role)} options={ROLES} />
        {role !== "admin" && <Grants value={grants} set={setGrants} />}
        <div className="form-end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? "Inviting …" : "Invite"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Grants({ value, set }: { value: string; set: (value: string) => void }): ReactNode {
  return (
    <Field
      label="Accounts and bots"
      hint="Such as main, or main/trend for one bot of it; several with commas."
      value={value}
      set={set}
    />
  );
}

interface EditProps extends NewProps {
  user: User;
  isMe: boolean;
}

function EditUser({ user, isMe, close, invited }: EditProps): ReactNode {
  const [role, setRole] = useState<Role>(user.role);
  const [grants, setGrants] = useState(written(user.grants));
  const { busy, act } = useAct();
  const path = { user_id: user.user_id };
  const change = async (
    body: { role?: Role; grants?: Grant[]; disabled?: boolean; reset_totp?: boolean },
    told: string,
  ): Promise<void> => {
    const done = await act(async () => {
      await call("PATCH /api/v1/users/{user_id}", { path, body });
      return told;
    });
    if (done) close();
  };
  const invite = async (): Promise<void> => {
    const done = await act(async () => {
      invited(await call("POST /api/v1/users/{user_id}/invitation", { path }));
    });
    if (done) close();
  };
  return (
    <Dialog title={user.name} close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void change({ role, grants: read(grants) }, `${user.name} was changed.`);
        }}
      >
        <Select label="Role" value={role} set={(value) => setRole(value as Role)} options={ROLES} />
        {role !== "admin" && <Grants value={grants} set={setGrants} />}
        <div className="form-end">
          <button type="submit" className="primary" disabled={busy}>
            Save
          </button>
        </div>
      </form>
      <h3>More</h3>
      <div className="row">
        <button type="button" disabled={busy} onClick={() => void invite()}>
          New invitation (replaces a lost password)
        </button>
        {user.has_totp && (
          <button
            type="button"
            disabled={busy}
            onClick={() => void change({ reset_totp: true }, "The second factor is gone.")}
          >
            Take the second factor away
          </button>
        )}
        {!isMe && (
          <button
            type="button"
            className={user.disabled ? undefined : "danger"}
            disabled={busy}
            onClick={() =>
              void change(
                { disabled: !user.disabled },
                user.disabled ? `${user.name} may sign in again.` : `${user.name} is out.`,
              )
            }
          >
            {user.disabled ? "Let them in again" : "Disable, and end their sessions and tokens"}
          </button>
        )}
      </div>
      <Theirs user={user} />
    </Dialog>
  );
}

function Theirs({ user }: { user: User }): ReactNode {
  const sessions = useQuery({
    queryKey: ["sessions", user.user_id],
    queryFn: () =>
      call("GET /api/v1/users/{user_id}/sessions", { path: { user_id: user.user_id } }),
  });
  return (
    <>
      <h3>Sessions that go on</h3>
      <Fetched what="sessions" from={sessions}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="muted small">None.</p>
          ) : (
            <ul className="plain-list small">
              {items.map((one) => (
                <li key={one.session_id}>
                  {one.address}, {one.method}, since {when(Date.parse(one.created_at))}
                </li>
              ))}
            </ul>
          )
        }
      </Fetched>
    </>
  );
}
