// Files that a job wrote: fetched with the session, and saved by the browser.

import { read } from "./problem";
import { bearer } from "./session";

/** Have the browser save a file of a job under a name. */
export async function save(jobId: string, file: string, name: string): Promise<void> {
  const path = `/api/v1/jobs/${encodeURIComponent(jobId)}/files/${encodeURIComponent(file)}`;
  const response = await fetch(path, { headers: { Authorization: `Bearer ${await bearer()}` } });
  if (!response.ok) await read(response);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
