// A sentence of the server, with code, links to runs, and times as everywhere on the page.

import { pieces, type Piece } from "../live/reasons.ts";
import { moment } from "./format.ts";

export function Prose({ text, runs }: { text: string; runs: string[] }) {
  return <>{pieces(text, runs).map((piece, index) => <PieceView key={index} piece={piece} />)}</>;
}

function PieceView({ piece: { kind, text } }: { piece: Piece }) {
  if (kind === "code") return <code>{text}</code>;
  if (kind === "run") return <a href={`#/runs/${encodeURIComponent(text)}`}>{text}</a>;
  if (kind === "time") return <time dateTime={text}>{moment(Date.parse(text))}</time>;
  return <>{text}</>;
}
