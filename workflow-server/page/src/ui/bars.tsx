// A list of counts, each with a bar of its share of the largest one.

import type { ComponentChildren } from "preact";

export interface Bar {
  key: string;
  name: ComponentChildren;
  count: number;
}

interface Props {
  bars: Bar[];
  label?: string;
  /** What is counted, for screen readers. */
  unit?: string;
}

export function Bars({ bars, label, unit }: Props) {
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  return (
    <ol class="bars" aria-label={label}>
      {bars.map((bar) => (
        <li key={bar.key}>
          <span class="bar-name">{bar.name}</span>
          <span class="number">{bar.count.toLocaleString("en")}{unit && <> <span class="visually-hidden">{unit}</span></>}</span>
          <span class="bar-track" aria-hidden="true"><span style={{ width: `${(bar.count / most) * 100}%` }} /></span>
        </li>
      ))}
    </ol>
  );
}
