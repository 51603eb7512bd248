// A Vite plugin: one HTML file with everything inside, allowed to run its own script and no other.

import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { licences } from "./notices.ts";

/** Each must be in the page exactly once: the Python side puts a run's data in their place. */
const LEFT_OPEN = ["@@holdfast:title@@", '"@@holdfast:runs@@"'];

/**
 * Inline scripts and styles of each HTML page, with a Content-Security-Policy that names the hash
 * of the script and forbids every request, and the licences of what is inside.
 */
export function singleFile(packages: string[]): Plugin {
  return {
    name: "holdfast:single-file",
    enforce: "post",
    generateBundle(_options, bundle) {
      const scripts: string[] = [];
      const styles: string[] = [];
      for (const [name, part] of Object.entries(bundle)) {
        if (part.type === "chunk") scripts.push(part.code.trim());
        else if (name.endsWith(".css")) styles.push(text(part.source).trim());
        else continue;
        delete bundle[name];
      }
      if (scripts.length !== 1) this.error(`expected one script, found ${scripts.length}`);
      for (const part of Object.values(bundle)) {
        if (part.type === "asset" && part.fileName.endsWith(".html")) {
          part.source = page(text(part.source), scripts.join(), styles.join("\n"), packages);
        }
      }
    },
  };
}

function page(html: string, script: string, style: string, packages: string[]): string {
  const safe = script.replaceAll("</script", "<\\/script");
  const hash = createHash("sha256").update(safe).digest("base64");
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'", // the chart library positions its canvases by style attributes
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const bare = html
    .replace(/\s*<script type="module"[^>]*><\/script>/g, "")
    .replace(/\s*<link rel="stylesheet"[^>]*>/g, "");
  const head = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  const whole = bare
    .replace("<!-- policy -->", () => head)
    .replace("<!-- style -->", () => `<style>\n${style}\n</style>`)
    .replace("<!-- script -->", () => `<script type="module">${safe}</script>`)
    .replace("<!-- licences -->", () => comment(licences(packages)));
  for (const marker of LEFT_OPEN) {
    const times = whole.split(marker).length - 1;
    if (times !== 1) throw new Error(`${marker} is ${times} times in the page, expected once`);
  }
  return whole;
}

function text(source: string | Uint8Array): string {
  return typeof source === "string" ? source : new TextDecoder().decode(source);
}

function comment(inside: string): string {
  return `<!--\n${inside.replaceAll("--", "- -")}\n-->`;
}
