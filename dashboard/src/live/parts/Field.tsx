// One input with its name, what it means, and what is wrong with it.

import { useId, type InputHTMLAttributes, type ReactNode } from "react";

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  label: string;
  set: (value: string) => void;
  hint?: ReactNode;
  wrong?: string | undefined;
  unit?: string | undefined;
}

export function Field({ label, set, hint, wrong, unit, ...input }: Props): ReactNode {
  const id = useId();
  const told = [hint !== undefined && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="beside">
        <input
          id={id}
          autoComplete="off"
          {...input}
          onChange={(event) => set(event.target.value)}
          aria-invalid={wrong ? true : undefined}
          aria-describedby={told.join(" ") || undefined}
        />
        {unit !== undefined && <span className="unit">{unit}</span>}
      </div>
      {hint !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {wrong && (
        <p className="wrong" id={`${id}-wrong`}>
          {wrong}
        </p>
      )}
    </div>
  );
}

interface SelectProps {
  label: string;
  value: string;
  set: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
  hint?: ReactNode;
}

export function Select({ label, value, set, options, hint }: SelectProps): ReactNode {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => set(event.target.value)}>
        {options.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
      {hint !== undefined && <p className="hint">{hint}</p>}
    </div>
  );
}

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  set: (value: Value) => void;
  options: readonly (readonly [value: Value, text: string])[];
}

/** A few that exclude each other, all in sight. */
export function Choice<Value extends string>(props: ChoiceProps<Value>): ReactNode {
  const { label, value, set, options } = props;
  return (
    <span className="choice" role="group" aria-label={label}>
      {options.map(([each, text]) => (
        <button key={each} type="button" aria-pressed={each === value} onClick={() => set(each)}>
          {text}
        </button>
      ))}
    </span>
  );
}
