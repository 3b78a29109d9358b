// The entry point of the page.

import { render } from "preact";
import { App } from "./app.tsx";
import "uplot/dist/uPlot.min.css";
import "./css/tokens.css";
import "./css/base.css";
import "./css/shell.css";
import "./css/parts.css";
import "./css/forms.css";
import "./css/tables.css";
import "./css/data.css";
import "./css/graph.css";
import "./css/run.css";
import "./css/assets.css";

render(<App />, document.getElementById("page")!);
