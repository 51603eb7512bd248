// The theme of the whole page, kept for the next visit. One for all: charts on different pages share it.

import { useEffect, useSyncExternalStore } from "react";
import { paletteNow, type Choice, type Palette } from "../theme/theme";

const KEY = "holdfast-colours";

let choice: Choice = read();
apply();
let palette: Palette = paletteNow();
const listeners = new Set<() => void>();

function read(): Choice {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto"; // storage is forbidden here; the system's choice holds
  }
}

function apply(): void {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

function changed(): void {
  palette = paletteNow();
  for (const listener of listeners) listener();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

function choose(next: Choice): void {
  choice = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // as above: it holds until the page is closed
  }
  apply();
  changed();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePalette(): {
  choice: Choice;
  choose: (next: Choice) => void;
  palette: Palette;
} {
  // The style sheet may arrive after the script; colours are read again once the page is there.
  useEffect(() => {
    if (palette.text === "") changed();
  }, []);
  return {
    choice: useSyncExternalStore(subscribe, () => choice),
    choose,
    palette: useSyncExternalStore(subscribe, () => palette),
  };
}
