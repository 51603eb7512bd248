import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { notices } from "./notices.ts";

// What ends up in the files, and whose licences go with them.
const INSIDE = [
  "react",
  "react-dom",
  "scheduler",
  "lightweight-charts",
  "fancy-canvas",
  "wouter",
  "regexparam",
  "use-sync-external-store",
  "@tanstack/react-query",
  "@tanstack/query-core",
];

export default defineConfig({
  plugins: [react(), notices(INSIDE)],
  build: {
    target: "es2022",
    outDir: "dist/live",
    // Served below a policy that allows no inline script; nothing is turned into a data: address.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { input: "index.html" },
  },
});
