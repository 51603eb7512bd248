// The frame around every page: what state everything is in, HALT, where one can go, and who is here.

import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { useSession } from "./api/session";
import { Mark } from "./Mark";
import { HaltArea } from "./HaltArea";
import { Nav } from "./Nav";
import { Overview } from "./pages/Overview";
import { Boundary } from "./parts/Boundary";
import { PageHead } from "./parts/Card";
import { Empty, Loading, Problem } from "./parts/Remarks";
import { Toasts } from "./parts/toasts";
import { SignIn } from "./SignIn";
import { StateLine, useIsOld } from "./StateLine";
import { StepUp } from "./StepUp";
import { OrderDrawer } from "./OrderDrawer";
import { follow } from "./stream/follow";

// The first screen comes at once, the rest when it is asked for.
const Bots = lazy(() => import("./pages/Bots"));
const BotPage = lazy(() => import("./pages/BotPage"));
const Orders = lazy(() => import("./pages/Orders"));
const Risk = lazy(() => import("./pages/Risk"));
const Cluster = lazy(() => import("./pages/Cluster"));
const Research = lazy(() => import("./pages/Research"));
const Accounts = lazy(() => import("./pages/Accounts"));
const People = lazy(() => import("./pages/People"));
const Audit = lazy(() => import("./pages/Audit"));

export function App(): ReactNode {
  const session = useSession();
  if (!isSecureContext) return <Overheard />;
  if (session.phase === "unknown") return <Waiting error={session.error} />;
  if (session.phase === "out") return <SignIn error={session.error} />;
  return <Inside key={session.me.user_id} />;
}

/** Over plain http a password could be read on its way, and browsers withhold what sessions need. */
function Overheard(): ReactNode {
  return (
    <main className="door">
      <div>
        <Mark linked={false} />
        <div className="problem" role="alert">
          <p className="strong">This connection is not private.</p>
          <p>
            Seen: {location.origin}. Expected: https, or an address of this machine such as
            http://127.0.0.1:8080.
          </p>
          <p>
            Put TLS in front of the API, as docs/how-to/run-on-one-host.md shows, or come through
            a tunnel: <code>ssh -L 8080:127.0.0.1:8080 {location.hostname}</code>.
          </p>
        </div>
      </div>
    </main>
  );
}

/** Before it is known who is here. */
function Waiting({ error }: { error: unknown }): ReactNode {
  return (
    <main className="door">
      <div>
        <Mark linked={false} />
        {error === undefined ? (
          <Loading what="the session" />
        ) : (
          <>
            <Problem error={error} />
            <p className="loading">Trying again …</p>
          </>
        )}
      </div>
    </main>
  );
}

function Inside(): ReactNode {
  const [menu, setMenu] = useState(false);
  const [path] = useLocation();
  const isOld = useIsOld();
  useEffect(() => follow(), []);
  useEffect(() => {
    setMenu(false);
    window.scrollTo(0, 0);
  }, [path]);
  return (
    <div className={isOld ? "is-old" : undefined}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="top">
        <Mark />
        <button
          type="button"
          className="menu-button"
          aria-expanded={menu}
          aria-controls="nav"
          onClick={() => setMenu(!menu)}
        >
          Menu
        </button>
        <StateLine />
        <HaltArea />
      </header>
      <div className="frame">
        <Nav isOpen={menu} />
        <main id="main" tabIndex={-1}>
          <Boundary key={path}>
            <Suspense fallback={<Loading what="the page" />}>
              <Pages />
            </Suspense>
          </Boundary>
        </main>
      </div>
      <OrderDrawer />
      <StepUp />
      <Toasts />
    </div>
  );
}

function Pages(): ReactNode {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      <Route path="/bots" component={Bots} />
      <Route path="/bots/:account/:name">
        {({ account, name }) => (
          <BotPage
            key={`${account}/${name}`}
            account={decodeURIComponent(account)}
            name={decodeURIComponent(name)}
          />
        )}
      </Route>
      <Route path="/orders" component={Orders} />
      <Route path="/risk" component={Risk} />
      <Route path="/cluster" component={Cluster} />
      <Route path="/research" component={Research} />
      <Route path="/accounts" component={Accounts} />
      <Route path="/people" component={People} />
      <Route path="/audit" component={Audit} />
      <Route>
        <PageHead title="There is no such page" />
        <Empty title="The address is of none.">
          <Link href="/">To the overview</Link>
        </Empty>
      </Route>
    </Switch>
  );
}
