// The most significant line of an error, for lists. Same rules as `decisive_line` in workflow-core.

const STDERR_FOLLOWS = "the end of its stderr:\n";
const ERROR_WORDS = ["error", "exception", "fatal", "panicked", "denied"];

export function decisiveLine(text: string): string {
  const at = text.indexOf(STDERR_FOLLOWS);
  const context = at < 0 ? -1 : text.slice(0, at).indexOf("the command ");
  const fromStderr = context < 0 ? null : decisiveOf(text.slice(at + STDERR_FOLLOWS.length));
  if (fromStderr !== null) return text.slice(0, context) + fromStderr;
  return text.split("\n").find((line) => line.trim() !== "")?.trim() ?? "";
}

function decisiveOf(stderr: string): string | null {
  const lines = stderr.split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  const plain = (line: string) => !/^\s/.test(line);
  const namesError = (line: string) => plain(line) && ERROR_WORDS.some((word) => line.toLowerCase().includes(word));
  let at = lines.findLastIndex(namesError);
  if (at < 0) at = lines.findLastIndex((line) => plain(line) && !line.startsWith("note:"));
  if (at < 0) at = lines.length - 1;
  const line = lines[at]?.trim();
  if (line === undefined) return null;
  const next = lines[at + 1];
  return line.endsWith(":") && next !== undefined ? `${line} ${next.trim()}` : line;
}
