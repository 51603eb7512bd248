// A form made from the JSON schema of a strategy's parameters: one field each, with range, default
// and meaning. Values stay text until they are sent, so that no decimal goes through a float.

import type { ReactNode } from "react";
import { Field, Select } from "./Field";

export type Schema = Record<string, Record<string, unknown>>;
export type Values = Record<string, string>;

interface Props {
  schema: Schema;
  values: Values;
  set: (values: Values) => void;
  wrong?: Readonly<Record<string, string>>;
}

export function SchemaForm({ schema, values, set, wrong = {} }: Props): ReactNode {
  const names = Object.keys(schema);
  if (names.length === 0) return <p className="muted">This strategy has no parameters.</p>;
  return (
    <div className="form two">
      {names.map((name) => (
        <Parameter
          key={name}
          name={name}
          schema={schema[name] ?? {}}
          value={values[name] ?? ""}
          set={(value) => set({ ...values, [name]: value })}
          wrong={wrong[name]}
        />
      ))}
    </div>
  );
}

interface OneProps {
  name: string;
  schema: Record<string, unknown>;
  value: string;
  set: (value: string) => void;
  wrong: string | undefined;
}

function Parameter({ name, schema, value, set, wrong }: OneProps): ReactNode {
  const { kind, choices, low, high } = read(schema);
  const label = name.replaceAll("_", " ");
  const hint = hintOf(schema, low, high);
  if (kind === "boolean") {
    return (
      <Select
        label={label}
        value={value}
        set={set}
        options={[
          ["true", "yes"],
          ["false", "no"],
        ]}
        hint={hint}
      />
    );
  }
  if (choices.length > 0) {
    return (
      <Select
        label={label}
        value={value}
        set={set}
        options={choices.map((each) => [each, each] as const)}
        hint={hint}
      />
    );
  }
  return (
    <Field
      label={label}
      value={value}
      set={set}
      hint={hint}
      wrong={wrong ?? problemOf(schema, value)}
      inputMode={kind === "integer" ? "numeric" : kind === "text" ? "text" : "decimal"}
      required={schema.default === undefined}
    />
  );
}

interface Read {
  kind: "integer" | "number" | "boolean" | "text";
  choices: string[];
  low: number | undefined;
  high: number | undefined;
}

function read(schema: Record<string, unknown>): Read {
  const kinds = [schema.type].flat();
  const found = (["integer", "number", "boolean"] as const).find((kind) => kinds.includes(kind));
  const number = (name: string): number | undefined =>
    typeof schema[name] === "number" ? (schema[name] as number) : undefined;
  return {
    kind: found ?? (schema.format === "decimal" ? "number" : "text"),
    choices: Array.isArray(schema.enum) ? schema.enum.map(String) : [],
    low: number("minimum") ?? number("exclusiveMinimum"),
    high: number("maximum") ?? number("exclusiveMaximum"),
  };
}

function hintOf(schema: Record<string, unknown>, low?: number, high?: number): string {
  const parts: string[] = [];
  if (typeof schema.description === "string") parts.push(schema.description);
  if (low !== undefined && high !== undefined) parts.push(`${low} to ${high}`);
  else if (low !== undefined) parts.push(`from ${low}`);
  else if (high !== undefined) parts.push(`up to ${high}`);
  parts.push(schema.default === undefined ? "needed" : `default ${String(schema.default)}`);
  return parts.join(", ");
}

/** What is wrong with a value, before the API is asked; undefined when nothing is. */
export function problemOf(schema: Record<string, unknown>, value: string): string | undefined {
  const { kind, low, high } = read(schema);
  if (value.trim() === "") return undefined;
  if (kind !== "integer" && kind !== "number") return undefined;
  const at = Number(value);
  if (!Number.isFinite(at)) return `${value} is not a number.`;
  if (kind === "integer" && !Number.isInteger(at)) return `${value} is not a whole number.`;
  if (low !== undefined && at < low) return `${value} is below ${low}.`;
  if (high !== undefined && at > high) return `${value} is above ${high}.`;
  return undefined;
}

/** What the fields begin with: the values in force, else the defaults. */
export function valuesOf(schema: Schema, params: Record<string, unknown> = {}): Values {
  return Object.fromEntries(
    Object.entries(schema).map(([name, one]) => {
      const value = params[name] ?? one.default;
      return [name, value === undefined || value === null ? "" : String(value)];
    }),
  );
}

/** As the API wants them: numbers and booleans as such, decimals as text, empty ones left out. */
export function paramsOf(schema: Schema, values: Values): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(schema)) {
    const value = (values[name] ?? "").trim();
    if (value === "") continue;
    const kinds = [one.type].flat();
    if (kinds.includes("boolean")) found[name] = value === "true";
    else if (kinds.includes("integer") || kinds.includes("number")) found[name] = Number(value);
    else found[name] = value;
  }
  return found;
}
