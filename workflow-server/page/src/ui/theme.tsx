// The theme: light, dark, or the system's.

import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

const KEY = "workflow-theme";
const NAMES: Record<Theme, string> = { auto: "System", light: "Light", dark: "Dark" };

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = signal<Theme>(stored());
/** The effective theme. */
export const theme = signal<"light" | "dark">("light");
apply();
system.addEventListener("change", apply);

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

function apply(): void {
  const root = document.documentElement;
  if (chosen.value === "auto") delete root.dataset.theme;
  else root.dataset.theme = chosen.value;
  theme.value = chosen.value === "auto" ? (system.matches ? "dark" : "light") : chosen.value;
}

function choose(value: Theme): void {
  chosen.value = value;
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Storage is not available: the choice lasts until the page is closed.
  }
  apply();
}

export function ThemeSwitch() {
  return (
    <label class="theme-switch">
      <span class="visually-hidden">Theme</span>
      <select value={chosen.value} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        {(Object.keys(NAMES) as Theme[]).map((name) => <option key={name} value={name}>{NAMES[name]}</option>)}
      </select>
    </label>
  );
}
