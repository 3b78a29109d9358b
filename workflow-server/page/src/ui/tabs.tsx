// Tabs of a page; the address has the current tab.

import { href, type Route } from "../route.ts";

export interface Tab {
  id: string;
  label: string;
  count?: number | null;
}

/** Links, not ARIA tabs: each tab has its own address. */
export function Tabs({ tabs, current, route, label }: { tabs: Tab[]; current: string; route: Route; label: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab, index) => (
        <a
          key={tab.id}
          href={href(route.path, { ...route.params, tab: index === 0 ? null : tab.id })}
          aria-current={tab.id === current ? "true" : undefined}
        >
          {tab.label}
          {tab.count ? " " : null}
          {tab.count ? <span class="count">{tab.count.toLocaleString("en")}</span> : null}
        </a>
      ))}
    </nav>
  );
}
