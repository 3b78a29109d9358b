// Earlier versions of a workflow file: show and restore.

import { useState } from "preact/hooks";
import { get, patch } from "../api/client.ts";
import { useLoad, usePaged } from "../api/load.ts";
import { Problem } from "../api/problem.ts";
import type { Version, VersionDetail } from "../api/types.ts";
import { notify } from "../ui/notice.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Ago } from "../ui/time.tsx";

interface Props {
  path: string;
  /** The current version of the workflow. */
  current: number;
  editable: boolean;
  changed: () => void;
}

export function WorkflowVersions({ path, current, editable, changed }: Props) {
  const list = usePaged<Version>(`${path}/versions`, {}, undefined, 20);
  const [shown, setShown] = useState<number | null>(null);
  if (!list.data || list.data.length < 2) return <ProblemBox problem={list.problem} retry={list.reload} />;
  return (
    <section class="stack" aria-label="Versions">
      <h3>Versions</h3>
      <table class="rows" role="table" aria-label="Versions">
        <thead>
          <tr role="row">
            <th role="columnheader" scope="col">Version</th><th role="columnheader" scope="col">Author</th>
            <th role="columnheader" scope="col">Created</th><th role="columnheader" scope="col" class="end">Actions</th>
          </tr>
        </thead>
        <tbody>
          {list.data.map(({ version, author, created_at }) => (
            <tr key={version} role="row">
              <td role="cell" data-label="Version">{version}{version === current && " (current)"}</td>
              <td role="cell" data-label="Author">{author ?? "–"}</td>
              <td role="cell" data-label="Created"><Ago at={created_at} /></td>
              <td role="cell" class="end">
                <button type="button" aria-expanded={shown === version} aria-label={`Show version ${version}`} onClick={() => setShown(shown === version ? null : version)}>Show</button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
      {shown !== null && <VersionSource key={shown} path={path} version={shown} editable={editable && shown !== current} changed={changed} />}
    </section>
  );
}

function VersionSource({ path, version, editable, changed }: { path: string; version: number; editable: boolean; changed: () => void }) {
  const found = useLoad((signal) => get<VersionDetail>(`${path}/versions/${version}`, {}, signal), [path, version]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const restore = async (yaml: string) => {
    setProblem(null);
    try {
      await patch(path, { yaml });
      notify(`Restored version ${version}`);
      changed();
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  const yaml = found.data?.yaml;
  return (
    <>
      {!found.data && found.loading && <Loading what={`version ${version}`} />}
      <ProblemBox problem={found.problem} retry={found.reload} />
      <ProblemBox problem={problem} />
      {found.data && !yaml && <p class="empty">No source is stored for this version.</p>}
      {yaml && <pre class="source" tabIndex={0} aria-label={`Source of version ${version}`}>{yaml}</pre>}
      {yaml && editable && <div class="actions"><button type="button" onClick={() => void restore(yaml)}>Restore this version</button></div>}
    </>
  );
}
