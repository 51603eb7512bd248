// The licences of what is inside a page, as their texts ask for.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

interface Told {
  version: string;
  license?: string;
}

/** A Vite plugin: `licences.txt` beside the page. */
export function notices(packages: string[]): Plugin {
  return {
    name: "holdfast:notices",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "licences.txt", source: licences(packages) });
    },
  };
}

/** The licence texts of these packages, one after another. */
export function licences(packages: string[]): string {
  const texts = packages.map((name) => {
    const folder = join(import.meta.dirname, "node_modules", name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const told = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Told;
    const says = file === undefined ? told.license : readFileSync(join(folder, file), "utf8");
    if (says === undefined) throw new Error(`${name} comes without a licence`);
    return `${name} ${told.version}\n\n${says}`;
  });
  return texts.join("\n\n");
}
