// Written by scripts/client_types.py from the API's OpenAPI document; not by hand.

/** An exchange account. */
export interface Account {
  name: string;
  venue: string | null;
  leader: string | null;
  epoch: number;
  seq: number;
  trades: boolean;
  halt: HaltLevel | null;
  reason: string;
  in_maintenance: boolean;
  breakers: Record<string, string>;
  quarantine: Record<string, string>;
  in_doubt: number;
  resting: number;
  protecting: number;
  reporting: string;
  equity: string | null;
  day_pnl: string | null;
  exposure: string | null;
  drawdown_pct: string | null;
  heard_at: string | null;
}

/** An account with what it was told. */
export interface AccountDetail {
  account: Account;
  api_key: string | null;
  rest_url: string | null;
  reconcile: string | null;
  limits: LimitsOut;
  config_version: number;
}

/** All accounts, by name. */
export interface Accounts {
  items: Account[];
}

/** What is known of one signed request (a member's comment is its promise). */
export type AttemptState = "ACKED" | "ARMED" | "IN_DOUBT" | "NEVER_EXECUTED" | "NOT_SENT" | "REJECTED";

/** One record of the platform's stream. */
export interface AuditEvent {
  seq: number;
  at: string;
  kind: string;
  by: string;
  user_id: string;
  told: string;
  fact: Record<string, unknown>;
}

/** A page of them, newest first. */
export interface AuditEvents {
  items: AuditEvent[];
  next_cursor: string | null;
}

/** A strategy over recorded bars. */
export interface Backtest {
  strategy: string;
  params?: Record<string, unknown>;
  data: string[];
  cash?: string;
  fee_bps?: string;
  fee_asset?: "base" | "quote";
  slippage_bps?: string;
  latency_ms?: string;
  conservative?: boolean;
}

/** What an account has of an asset, by its own journal. */
export interface Balance {
  account: string;
  asset: string;
  total: string;
  free: string;
  reserved: string;
  value: string | null;
}

/** All balances that are not zero, by account and asset. */
export interface Balances {
  items: Balance[];
}

/** What answers at the root, for a program. */
export interface Basic {
  name: string;
  status: State;
  version: string;
}

/** A strategy on some symbols of an account. */
export interface Bot {
  account: string;
  name: string;
  strategy: string;
  symbols: string[];
  timeframe: string;
  condition: BotCondition;
  reason: string;
  halt: HaltLevel | null;
  config_version: number;
  decisions: number;
  wish: string;
  pnl: string | null;
  day_pnl: string | null;
  value: string | null;
  quote: string;
  decided_at: string | null;
}

/** A bot in one word. */
export type BotCondition = "draining" | "failed" | "halted" | "running" | "stopped";

/** What a bot is to trade, whole: what is left out gets its default. */
export interface BotConfig {
  strategy: string;
  symbols: string[];
  timeframe?: string;
  params?: Record<string, unknown>;
  limits?: LimitsIn;
  join_timeout_s?: number;
  decide_budget_ms?: number;
}

/** A bot with its configuration. */
export interface BotDetail {
  bot: Bot;
  params: Record<string, unknown>;
  schema: Record<string, Record<string, unknown>> | null;
  limits: LimitsOut;
  join_timeout_s: number;
  decide_budget_ms: number;
}

/** All bots, by account and name. */
export interface Bots {
  items: Bot[];
}

/** One bar. */
export interface Candle {
  at: string;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
}

/** Closed bars, oldest first; `forming` is the one that is not closed yet. */
export interface Candles {
  symbol: string;
  timeframe: string;
  items: Candle[];
  forming: Candle | null;
}

/** The same and the machine, as other tools name them. */
export interface Checks {
  database: State;
  redis: State;
  external_apis: State;
  disk_space: State;
  memory: State;
}

/** All of it, the newest failovers first and at most a hundred of them. */
export interface Cluster {
  profile: string;
  nodes: Node[];
  leadership: Leadership[];
  failovers: Failover[];
}

/** Something that an account's leader was asked for. */
export interface Command {
  command_id: string;
  account: string;
  bot: string;
  name: string;
  state: CommandState;
  seq: number | null;
  reason: string;
  by: string;
  asked_at: string;
}

/** Where a command is. */
export type CommandState = "refused" | "taken" | "waiting";

/** The same thing, asked for in several accounts. */
export interface CommandsGiven {
  items: Command[];
}

/** All of it. */
export interface Configuration {
  settings: Setting[];
  pending: PendingSetting[];
  refused: string;
}

/** What a session proves again before it adds risk: the second factor, or else the password. */
export interface Confirmation {
  password?: string;
  totp?: string;
}

/** Recorded bars on this machine. */
export interface Dataset {
  name: string;
  symbol: string;
  timeframe: string;
  rows: number;
  first: string;
  last: string;
}

/** By name. */
export interface Datasets {
  items: Dataset[];
}

/** Whether this is the demo, in which the node that leads may be struck. */
export interface Demo {
  is_demo: boolean;
}

/** The same with what is for operators only, on the metrics port. */
export interface DetailedHealth {
  health: Health;
  details: Record<string, unknown>;
}

/** What all holdings were worth at a moment. */
export interface EquityPoint {
  at: string;
  equity: string;
  drawdown_pct: string;
}

/** Equity and drawdown over time, oldest first, thinned to at most so many points as asked. */
export interface EquitySeries {
  account: string | null;
  bot: string | null;
  reporting: string;
  items: EquityPoint[];
  max_drawdown_pct: string;
  as_of_seq: number | null;
}

/** An exchange account as it is configured. */
export interface ExchangeAccount {
  name: string;
  venue: string | null;
  rest_url: string | null;
  api_key: string;
  api_secret: string;
  reconcile: ReconcilePolicy;
  in_file: boolean;
  like: string | null;
  added_by: string | null;
  added_at: string | null;
  nodes: string[];
  leader: string | null;
  left_out: string;
}

/** Those of the file, and then those that were added. */
export interface ExchangeAccounts {
  items: ExchangeAccount[];
}

/** An account went from one leader to another. */
export interface Failover {
  account: string;
  seq: number;
  epoch: number;
  at: string;
  leader: string;
  before: string | null;
  gap_ms: number | null;
  planned: boolean;
  why: string;
}

/** A page of them, newest first. */
export interface Failovers {
  items: Failover[];
  next_cursor: string | null;
}

/** One execution. */
export interface Fill {
  account: string;
  seq: number;
  at: string;
  bot: string | null;
  symbol: string;
  side: Side;
  quantity: string;
  price: string;
  fee: string;
  fee_asset: string;
  is_maker: boolean;
  trade_id: string;
  order_id: string;
  cid: string | null;
  held: string | null;
}

/** A page of fills, newest first. */
export interface Fills {
  items: Fill[];
  next_cursor: string | null;
}

/** That an account is a user's, or one bot of it where `bot` is not empty. */
export interface Grant {
  account: string;
  bot?: string;
}

/** What is to stop. */
export interface Halt {
  level?: HaltLevel;
  reason?: string;
}

/** How much stops; each stops what the ones before it stop. */
export type HaltLevel = "cancel" | "entries" | "flatten";

/** How well all of it is; answered with 503 when `status` is `down`. */
export interface Health {
  status: State;
  timestamp: string;
  uptime: number;
  version: string;
  git_sha: string;
  build_time: string;
  services: Services;
  checks: Checks;
  exchange_connected: boolean | null;
  seconds_since_last_order: number | null;
  redis_connected: boolean | null;
}

/** With this code, once, the user sets his password. */
export interface Invitation {
  user: User;
  code: string | null;
  expires_at: string;
}

/** The code of an invitation, and the password to set. */
export interface Invited {
  code: string;
  password: string;
}

/** Work in the background. */
export interface Job {
  job_id: string;
  kind: string;
  state: JobState;
  progress: number;
  note: string;
  owner: string;
  attempts: number;
  is_cancelling: boolean;
  error: string | null;
  input: Record<string, unknown>;
  files: string[];
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

/** What came of a job that is done; its shape is that of its kind. */
export interface JobResult {
  job_id: string;
  kind: string;
  result: Record<string, unknown>;
}

/** Where a job stands. The last three are final. */
export type JobState = "cancelled" | "done" | "failed" | "queued" | "running";

/** A page of jobs, newest first. */
export interface Jobs {
  items: Job[];
  next_cursor: string | null;
}

/** One record of an account's stream. */
export interface JournalEntry {
  seq: number;
  epoch: number;
  at: string;
  kind: string;
  told: string;
  fact: Record<string, unknown>;
}

/** What can be heard of. */
export type Kind = "bot" | "bot_failed" | "breaker" | "doubt" | "emergency" | "failover" | "fault" | "fill" | "ghost" | "halt" | "handover" | "latency" | "mismatch" | "resume" | "summary";

/** Who may write an account's stream. */
export interface Leadership {
  account: string;
  epoch: number;
  leader: string | null;
  since: string | null;
}

/** Limits as they are to be, whole. */
export interface LimitsIn {
  max_order_notional?: string | null;
  max_position_notional?: string | null;
  max_open_orders?: number | null;
  price_band_pct?: string | null;
  max_orders_per_minute?: number | null;
  max_daily_loss?: string | null;
  max_drawdown_pct?: string | null;
  symbols?: string[];
}

/** Limits as they are in force. */
export interface LimitsOut {
  max_order_notional: string | null;
  max_position_notional: string | null;
  max_open_orders: number | null;
  price_band_pct: string | null;
  max_orders_per_minute: number | null;
  max_daily_loss: string | null;
  max_drawdown_pct: string | null;
  symbols: string[];
}

/** The code of a one-time link. */
export interface Link {
  code: string;
}

/** The event loop turns; nothing else is looked at. */
export interface Liveness {
  alive: boolean;
}

/** A page of a bot's log, newest first. */
export interface Log {
  items: LogLine[];
  next_cursor: string | null;
}

/** Something that happened to a bot, as its journal tells it. */
export interface LogLine {
  seq: number;
  at: string;
  level: string;
  kind: string;
  told: string;
}

/** Who is asking. */
export interface Me {
  user_id: string;
  name: string;
  role: Role;
  scopes: Scope[];
  grants: Grant[];
  session_id: string | null;
  is_token: boolean;
  has_totp: boolean;
  confirmed_until: string | null;
}

/** Where an account, with all its bots, is to be led. */
export interface Move {
  node: string;
}

/** A bot that is to be there. */
export interface NewBot {
  strategy: string;
  symbols: string[];
  timeframe?: string;
  params?: Record<string, unknown>;
  limits?: LimitsIn;
  join_timeout_s?: number;
  decide_budget_ms?: number;
  name: string;
}

/** An account for nodes to trade, on the exchange of an account that they have in their file. */
export interface NewExchangeAccount {
  name: string;
  like: string;
  api_key: string;
  api_secret: string;
  reconcile?: ReconcilePolicy;
}

/** The password that is to follow the old one. */
export interface NewPassword {
  old?: string;
  new: string;
}

/** Something to hear of. */
export interface NewSubscription {
  name: string;
  channel: string;
  kinds?: Kind[];
  accounts?: string[];
  least?: string;
}

/** A token that is to be. */
export interface NewToken {
  name: string;
  scopes: Scope[];
  expires_in_s?: number | null;
}

/** Somebody who is to use the platform. */
export interface NewUser {
  name: string;
  role?: Role;
  grants?: Grant[];
}

/** A node as the others see it. */
export interface Node {
  name: string;
  boot_id: string;
  pid: number;
  version: string;
  is_live: boolean;
  leads: string[];
}

/** An order as the journal tells it. */
export interface Order {
  account: string;
  cid: string;
  bot: string;
  symbol: string;
  side: Side;
  type: OrderType;
  time_in_force: TimeInForce | null;
  quantity: string;
  price: string | null;
  stop_price: string | null;
  executed: string;
  condition: OrderCondition;
  attempt: AttemptState;
  state: OrderState | null;
  order_id: string | null;
  list_cid: string | null;
  protects: boolean;
  seq: number;
  armed_at: string;
  changed_at: string;
}

/** An order in one word. */
export type OrderCondition = "absent" | "cancelled" | "filled" | "in_doubt" | "open" | "refused" | "under_way";

/** What the venue says of an order it took. */
export type OrderState = "CANCELLED" | "EXPIRED" | "FILLED" | "NEW" | "PARTIALLY_FILLED" | "PENDING_NEW" | "REJECTED" | "SETTLED";

/** An order, and every record about it, its cancels and its fills, in order. */
export interface OrderStory {
  order: Order;
  timeline: JournalEntry[];
}

/** The order kinds that derivation uses; the local exchange knows more. */
export type OrderType = "LIMIT" | "LIMIT_MAKER" | "MARKET" | "STOP_LOSS" | "STOP_LOSS_LIMIT";

/** A page of orders, newest first. */
export interface Orders {
  items: Order[];
  next_cursor: string | null;
}

/** All accounts that the caller may see, in one sentence and a few numbers. */
export interface Overview {
  at: string;
  sentence: string;
  tone: Tone;
  halt: HaltLevel | null;
  leaders: string[];
  price_age_s: number | null;
  in_doubt: number;
  reporting: string | null;
  equity: string | null;
  day_pnl: string | null;
  day_pnl_pct: string | null;
  exposure: string | null;
  exposure_pct: string | null;
  accounts: Account[];
  positions: Record<string, number>;
}

/** One dependency; 503 when it is down. */
export interface Part {
  status: State;
  latency_ms: number | null;
}

/** A setting that its file or environment says otherwise by now. */
export interface PendingSetting {
  key: string;
  running: string;
  written: string;
  takes_effect: string;
}

/** What a bot holds in a symbol; empty ones are left out. */
export interface Position {
  account: string;
  bot: string;
  symbol: string;
  quantity: string;
  average_price: string;
  price: string | null;
  value: string | null;
  pnl: string | null;
  unrealised: string | null;
  stop: string | null;
  take_profit: string | null;
}

/** All open positions, by account, bot and symbol. */
export interface Positions {
  items: Position[];
}

/** The last price of a symbol. */
export interface Price {
  symbol: string;
  price: string;
  at: string;
  age_s: number;
}

/** By symbol. */
export interface Prices {
  items: Price[];
}

/** What went wrong (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  errors: Record<string, string>[];
}

/** Whether requests can be answered; 503 when not. */
export interface Readiness {
  ready: boolean;
}

/** What a node does about orders, fills and balances it did not make, whenever it sees them. */
export type ReconcilePolicy = "adopt" | "halt" | "ignore" | "quarantine";

/** The last refresh token; left out by a browser, which has it in a cookie. */
export interface Refresh {
  refresh_token?: string;
}

/** What a user may do; each may do what the ones before may. */
export type Role = "admin" | "trader" | "viewer";

/** A kind of thing that can be done. A request needs one; a principal has some. */
export type Scope = "admin" | "read" | "research" | "risk" | "trade";

/** What this process depends on. */
export interface Services {
  database: State;
  redis: State;
  exchange_apis: State;
}

/** A sign-in that goes on. */
export interface Session {
  session_id: string;
  user_id: string;
  method: string;
  address: string;
  agent: string;
  is_this: boolean;
  created_at: string;
  last_used_at: string;
  expires_at: string;
}

/** Newest first. */
export interface Sessions {
  items: Session[];
}

/** One setting in effect. */
export interface Setting {
  key: string;
  value: string;
  origin: string;
}

/** The side of an order or a fill. */
export type Side = "BUY" | "SELL";

/** A name and the proof that goes with it; `totp` where the user has a second factor. */
export interface SignIn {
  name: string;
  password: string;
  totp?: string;
}

/** How one may sign in here. */
export interface SignInWays {
  password: boolean;
  google: boolean;
}

/** An entry of an external series, as its source tells it. */
export interface Signal {
  value: unknown;
  known_at?: string | null;
  id?: string;
}

/** What a session is carried on with. */
export interface SignedIn {
  access_token: string;
  token_type: "Bearer";
  expires_in_s: number;
  refresh_token: string | null;
  refresh_expires_in_s: number;
  me: Me;
}

/** A dependency in one word. */
export type State = "degraded" | "down" | "off" | "ok";

/** All of them, by name. */
export interface Strategies {
  items: StrategyInfo[];
}

/** A strategy that is installed. */
export interface StrategyInfo {
  name: string;
  about: string;
  parameters: Record<string, Record<string, unknown>>;
}

/** Who was struck, in a sentence. */
export interface Struck {
  told: string;
}

/** That a user hears of something, and how that goes. */
export interface Subscription {
  subscription_id: string;
  name: string;
  channel: string;
  kinds: Kind[];
  accounts: string[];
  least: string;
  created_at: string;
  sent: number;
  lost: number;
  waiting: number;
  tries: number;
  failing_since: string | null;
  why: string;
}

/** All of a user, by name. */
export interface Subscriptions {
  items: Subscription[];
  channels: string[];
  chats: number;
}

/** A search of a strategy's parameters over recorded bars. */
export interface Sweep {
  strategy: string;
  fixed?: Record<string, unknown>;
  space?: string[];
  data: string[];
  trials?: number;
  objective?: string;
  walk_forward?: number;
  cash?: string;
  fee_bps?: string;
  fee_asset?: "base" | "quote";
  slippage_bps?: string;
  conservative?: boolean;
  seed?: number;
}

/** How a chat becomes a user's. */
export interface TelegramLink {
  send: string | null;
  expires_at: string;
}

/** How long a limit order may rest. */
export type TimeInForce = "FOK" | "GTC" | "IOC";

/** A program's leave to act for a user. */
export interface Token {
  token_id: string;
  user_id: string;
  name: string;
  prefix: string;
  scopes: Scope[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

/** A token that was just made. */
export interface TokenMade {
  token: Token;
  secret: string | null;
}

/** Those that are good. */
export interface Tokens {
  items: Token[];
}

/** How a sentence is meant. */
export type Tone = "attention" | "bad" | "good";

/** What the authenticator shows. */
export interface TotpCode {
  code: string;
}

/** What an authenticator needs; it counts once a code of it was given. */
export interface TotpOffer {
  secret: string | null;
  uri: string | null;
}

/** A user; nothing of it is secret. */
export interface User {
  user_id: string;
  name: string;
  role: Role;
  grants: Grant[];
  has_password: boolean;
  has_totp: boolean;
  has_oidc: boolean;
  disabled: boolean;
  created_at: string;
  last_sign_in_at: string | null;
}

/** What is to be another; what is left out, or null, stays. */
export interface UserChange {
  role?: Role | null;
  grants?: Grant[] | null;
  disabled?: boolean | null;
  reset_totp?: boolean;
}

/** All users, by name. */
export interface Users {
  items: User[];
}

/** Why something is asked for. */
export interface Why {
  reason?: string;
}

export interface Routes {
  /** Tell the same as `/health`, where only paths below `/api` come through. */
  "GET /api/health": {
    answer: Health;
  };
  /** List accounts with their state and what they hold. */
  "GET /api/v1/accounts": {
    answer: Accounts;
  };
  /** Show an account with its limits; its ETag is what a change of them is made from. */
  "GET /api/v1/accounts/{account}": {
    path: {
      account: string;
    };
    answer: AccountDetail;
  };
  /** Make a bot. It trades once it is started. */
  "POST /api/v1/accounts/{account}/bots": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    body: NewBot;
    answer: Command;
  };
  /** Show a bot with its configuration; its ETag is what a change is made from. */
  "GET /api/v1/accounts/{account}/bots/{bot}": {
    path: {
      account: string;
      bot: string;
    };
    answer: BotDetail;
  };
  /** Give a bot another configuration, whole: what is left out gets its default. */
  "PUT /api/v1/accounts/{account}/bots/{bot}": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    body: BotConfig;
    answer: Command;
  };
  /** Remove a bot that is stopped and holds nothing; its journal stays. */
  "DELETE /api/v1/accounts/{account}/bots/{bot}": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    answer: Command;
  };
  /** Let a bot go on without new exposure: it leaves its positions as it wishes. */
  "POST /api/v1/accounts/{account}/bots/{bot}/drain": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Why;
    answer: Command;
  };
  /** Halt one bot, durably, until it is resumed. */
  "POST /api/v1/accounts/{account}/bots/{bot}/halt": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Halt;
    answer: Command;
  };
  /** Move a bot to another node; its whole account moves, with all bots on it. */
  "POST /api/v1/accounts/{account}/bots/{bot}/handover": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Move;
    answer: Command;
  };
  /** Tell what happened to a bot, newest first. */
  "GET /api/v1/accounts/{account}/bots/{bot}/logs": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      cursor?: string | null;
      limit?: number;
    };
    answer: Log;
  };
  /** Lift the halt of one bot. */
  "POST /api/v1/accounts/{account}/bots/{bot}/resume": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    answer: Command;
  };
  /** Start a bot that was stopped, failed or drains. */
  "POST /api/v1/accounts/{account}/bots/{bot}/start": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    answer: Command;
  };
  /** Stop a bot: no more decisions, its resting orders are taken back, its position stays. */
  "POST /api/v1/accounts/{account}/bots/{bot}/stop": {
    path: {
      account: string;
      bot: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Why;
    answer: Command;
  };
  /** Halt an account, durably, until it is resumed; again at a higher level if need be. */
  "POST /api/v1/accounts/{account}/halt": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Halt;
    answer: Command;
  };
  /** Move an account, with all bots on it, to another node. */
  "POST /api/v1/accounts/{account}/handover": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    body: Move;
    answer: Command;
  };
  /** Set the limits of all bots of an account together. Raising one asks for confirmation. */
  "PUT /api/v1/accounts/{account}/limits": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    body: LimitsIn;
    answer: Command;
  };
  /** Show an order with every record about it, its cancels and its fills. */
  "GET /api/v1/accounts/{account}/orders/{cid}": {
    path: {
      account: string;
      cid: string;
    };
    answer: OrderStory;
  };
  /** Compare an account with its exchange now; nothing is adjusted. */
  "POST /api/v1/accounts/{account}/reconcile": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    answer: Command;
  };
  /** Lift the halt of an account. */
  "POST /api/v1/accounts/{account}/resume": {
    path: {
      account: string;
    };
    query?: {
      wait_s?: number;
    };
    answer: Command;
  };
  /** Tell who did what, newest first. `holdfast audit verify` proves that nothing is missing. */
  "GET /api/v1/audit": {
    query?: {
      cursor?: string | null;
      limit?: number;
    };
    answer: AuditEvents;
  };
  /** Let this session do for some minutes what adds risk: prove again who you are. */
  "POST /api/v1/auth/confirm": {
    query?: {
      cookie?: boolean;
    };
    body: Confirmation;
    answer: SignedIn;
  };
  /** Begin a sign-in at Google; the browser comes back to `/api/v1/auth/google/callback`. */
  "GET /api/v1/auth/google": {
    answer: undefined;
  };
  /** Where Google sends the browser: sign in, and go on to the dashboard. */
  "GET /api/v1/auth/google/callback": {
    query?: {
      state?: string;
      code?: string;
    };
    answer: undefined;
  };
  /** Set the password of an invitation, and begin a session. */
  "POST /api/v1/auth/invitation": {
    query?: {
      cookie?: boolean;
    };
    body: Invited;
    answer: SignedIn;
  };
  /** Begin a session by a one-time link, from the machine that this runs on. */
  "POST /api/v1/auth/link": {
    query?: {
      cookie?: boolean;
    };
    body: Link;
    answer: SignedIn;
  };
  /** Carry a session on. The token is used up; using it twice ends the session. */
  "POST /api/v1/auth/refresh": {
    body: Refresh;
    answer: SignedIn;
  };
  /** Begin a session with name and password, and the second factor where there is one. */
  "POST /api/v1/auth/sign-in": {
    query?: {
      cookie?: boolean;
    };
    body: SignIn;
    answer: SignedIn;
  };
  /** End this session. */
  "POST /api/v1/auth/sign-out": {
    answer: null;
  };
  /** Tell how one may sign in here. */
  "GET /api/v1/auth/ways": {
    answer: SignInWays;
  };
  /** Run a strategy over recorded bars, in the background. */
  "POST /api/v1/backtests": {
    body: Backtest;
    answer: Job;
  };
  /** List what accounts have of each asset. */
  "GET /api/v1/balances": {
    query?: {
      account?: string | null;
    };
    answer: Balances;
  };
  /** List bots with their state and what they earned. */
  "GET /api/v1/bots": {
    query?: {
      account?: string | null;
    };
    answer: Bots;
  };
  /** Show bars of a symbol that a bot trades, oldest first. */
  "GET /api/v1/candles": {
    query: {
      symbol: string;
      timeframe?: string;
      since?: string | null;
      until?: string | null;
      limit?: number;
    };
    answer: Candles;
  };
  /** Show the nodes, who leads which account, and the newest failovers. */
  "GET /api/v1/cluster": {
    answer: Cluster;
  };
  /** Tell what became of something that was asked for. */
  "GET /api/v1/commands/{command_id}": {
    path: {
      command_id: string;
    };
    answer: Command;
  };
  /** Show the effective configuration with its origins, and what has not taken effect yet. */
  "GET /api/v1/configuration": {
    answer: Configuration;
  };
  /** List the recorded bars that a backtest can run on. */
  "GET /api/v1/datasets": {
    answer: Datasets;
  };
  /** Tell whether this is the demo. */
  "GET /api/v1/demo": {
    answer: Demo;
  };
  /** Kill the node that leads, as `kill -9` does; another one goes on. In the demo only. */
  "POST /api/v1/demo/kill-leader": {
    answer: Struck;
  };
  /** Show equity and drawdown over time: of all accounts, of one, or what a bot of it earned. */
  "GET /api/v1/equity": {
    query?: {
      account?: string | null;
      bot?: string | null;
      since?: string | null;
      until?: string | null;
      points?: number;
    };
    answer: EquitySeries;
  };
  /** Tell changes as server-sent events, from a position on. */
  "GET /api/v1/events": {
    query?: {
      topics?: string;
      after?: string;
    };
    answer: string;
  };
  /** List what nodes are configured with, and which of them have it. */
  "GET /api/v1/exchange-accounts": {
    answer: ExchangeAccounts;
  };
  /** Let all nodes trade one more account; each begins anew with it, one after the other. */
  "POST /api/v1/exchange-accounts": {
    body: NewExchangeAccount;
    answer: ExchangeAccount;
  };
  /** Let nodes trade an account no more, at which nothing goes on. Its journal stays. */
  "DELETE /api/v1/exchange-accounts/{account}": {
    path: {
      account: string;
    };
    answer: undefined;
  };
  /** List how leadership moved, newest first. */
  "GET /api/v1/failovers": {
    query?: {
      account?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: Failovers;
  };
  /** List executions, newest first. */
  "GET /api/v1/fills": {
    query?: {
      account?: string | null;
      bot?: string | null;
      symbol?: string | null;
      since?: string | null;
      until?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: Fills;
  };
  /** Halt every account that is yours, and your bots on accounts of others. */
  "POST /api/v1/halt": {
    query?: {
      wait_s?: number;
    };
    body: Halt;
    answer: CommandsGiven;
  };
  /** List your jobs, newest first; administrators see everybody's. */
  "GET /api/v1/jobs": {
    query?: {
      kind?: string | null;
      state?: JobState | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: Jobs;
  };
  /** Show a job and how far it is. */
  "GET /api/v1/jobs/{job_id}": {
    path: {
      job_id: string;
    };
    answer: Job;
  };
  /** Have a job end without a result; what has ended stays as it is. */
  "POST /api/v1/jobs/{job_id}/cancel": {
    path: {
      job_id: string;
    };
    answer: Job;
  };
  /** Give a file that a job wrote, such as the report of a backtest. */
  "GET /api/v1/jobs/{job_id}/files/{name}": {
    path: {
      job_id: string;
      name: string;
    };
    answer: string;
  };
  /** Show what came of a job that is done. */
  "GET /api/v1/jobs/{job_id}/result": {
    path: {
      job_id: string;
    };
    answer: JobResult;
  };
  /** Tell who is asking, and what he may do. */
  "GET /api/v1/me": {
    answer: Me;
  };
  /** List what you hear of, how that goes, and the channels that you may use. */
  "GET /api/v1/me/notifications": {
    answer: Subscriptions;
  };
  /** Hear of something, from now on. */
  "POST /api/v1/me/notifications": {
    body: NewSubscription;
    answer: Subscription;
  };
  /** Hear of it no more; what waits to be delivered is dropped. */
  "DELETE /api/v1/me/notifications/{subscription_id}": {
    path: {
      subscription_id: string;
    };
    answer: undefined;
  };
  /** Let a message come like any other, to see whether it does. */
  "POST /api/v1/me/notifications/{subscription_id}/test": {
    path: {
      subscription_id: string;
    };
    answer: undefined;
  };
  /** Change your own password; all your other sessions end. */
  "PUT /api/v1/me/password": {
    body: NewPassword;
    answer: undefined;
  };
  /** List your own sessions, newest first. */
  "GET /api/v1/me/sessions": {
    answer: Sessions;
  };
  /** Make a chat with Telegram's bot yours: it may then do what you may. Once, within minutes. */
  "POST /api/v1/me/telegram": {
    answer: TelegramLink;
  };
  /** Let none of your chats be yours any more. */
  "DELETE /api/v1/me/telegram": {
    answer: undefined;
  };
  /** List your own API tokens; their secrets are nowhere. */
  "GET /api/v1/me/tokens": {
    answer: Tokens;
  };
  /** Let a program act for you, with some of your scopes. Its secret is shown once. */
  "POST /api/v1/me/tokens": {
    body: NewToken;
    answer: TokenMade;
  };
  /** Make a second factor; it counts once a code of it was given. */
  "POST /api/v1/me/totp": {
    answer: TotpOffer;
  };
  /** Let the second factor count from here on. */
  "PUT /api/v1/me/totp": {
    body: TotpCode;
    answer: undefined;
  };
  /** Go without a second factor. */
  "DELETE /api/v1/me/totp": {
    answer: undefined;
  };
  /** List orders, newest first. */
  "GET /api/v1/orders": {
    query?: {
      account?: string | null;
      bot?: string | null;
      symbol?: string | null;
      condition?: OrderCondition | null;
      since?: string | null;
      until?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: Orders;
  };
  /** Say how all of it is: one sentence and a few numbers. */
  "GET /api/v1/overview": {
    answer: Overview;
  };
  /** List open positions. */
  "GET /api/v1/positions": {
    query?: {
      account?: string | null;
      bot?: string | null;
    };
    answer: Positions;
  };
  /** List the last prices of all symbols that bots trade, or of one. */
  "GET /api/v1/prices": {
    query?: {
      symbol?: string | null;
    };
    answer: Prices;
  };
  /** Lift the halt of all accounts that are yours, and of your bots on accounts of others. */
  "POST /api/v1/resume": {
    query?: {
      wait_s?: number;
    };
    answer: CommandsGiven;
  };
  /** End a session of yours, or as an administrator anybody's. */
  "DELETE /api/v1/sessions/{session_id}": {
    path: {
      session_id: string;
    };
    answer: undefined;
  };
  /** Take an entry of an external series from its source, which proves that it is one. */
  "POST /api/v1/signals/{name}": {
    path: {
      name: string;
    };
    body: Signal;
    answer: Command;
  };
  /** List the strategies that may be traded, with the schema of their parameters. */
  "GET /api/v1/strategies": {
    answer: Strategies;
  };
  /** Show one of them. */
  "GET /api/v1/strategies/{name}": {
    path: {
      name: string;
    };
    answer: StrategyInfo;
  };
  /** Search a strategy's parameters over recorded bars, in the background. */
  "POST /api/v1/sweeps": {
    body: Sweep;
    answer: Job;
  };
  /** End an API token of yours, or as an administrator anybody's. */
  "DELETE /api/v1/tokens/{token_id}": {
    path: {
      token_id: string;
    };
    answer: undefined;
  };
  /** List all users, by name. */
  "GET /api/v1/users": {
    answer: Users;
  };
  /** Let somebody use the platform. The code with which he sets his password is shown once. */
  "POST /api/v1/users": {
    body: NewUser;
    answer: Invitation;
  };
  /** Show a user. */
  "GET /api/v1/users/{user_id}": {
    path: {
      user_id: string;
    };
    answer: User;
  };
  /** Change what a user may do. Disabling him ends his sessions and tokens. */
  "PATCH /api/v1/users/{user_id}": {
    path: {
      user_id: string;
    };
    body: UserChange;
    answer: User;
  };
  /** Make a new invitation, which is also how a lost password is replaced. */
  "POST /api/v1/users/{user_id}/invitation": {
    path: {
      user_id: string;
    };
    answer: Invitation;
  };
  /** List a user's sessions, newest first. */
  "GET /api/v1/users/{user_id}/sessions": {
    path: {
      user_id: string;
    };
    answer: Sessions;
  };
  /** List a user's API tokens. */
  "GET /api/v1/users/{user_id}/tokens": {
    path: {
      user_id: string;
    };
    answer: Tokens;
  };
  /** Tell how well this process and what it depends on are. */
  "GET /health": {
    answer: Health;
  };
  /** Tell whether the database answers. */
  "GET /health/db": {
    answer: Part;
  };
  /** Tell whether Redis answers; `off` where there is none, which is well too. */
  "GET /health/redis": {
    answer: Part;
  };
  /** Answer, because the event loop turns: nothing else is looked at, so nothing else kills it. */
  "GET /livez": {
    answer: Liveness;
  };
  /** Tell whether requests can be answered. */
  "GET /ready": {
    answer: Readiness;
  };
}
