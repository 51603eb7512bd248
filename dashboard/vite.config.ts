import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { singleFile } from "./single-file.ts";

// What ends up in the page, and whose licences go with it.
const INSIDE = ["react", "react-dom", "scheduler", "lightweight-charts", "fancy-canvas"];

export default defineConfig({
  plugins: [react(), singleFile(INSIDE)],
  publicDir: false,
  build: {
    target: "es2022",
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: { input: "report.html" },
  },
});
