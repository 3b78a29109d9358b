//! Scripts whose first line names what runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use workflow_core::Engine;

use crate::{Folder, ended, error, failed, run, sound, wrong};

/// An interpreter of our own, which tells what it was given: tests need no other on the machine.
fn teller(folder: &Folder) -> String {
    let path = folder.0.join("teller");
    let script = "#!/bin/sh\nscript=$1; [ $# = 2 ] && script=$2\n\
                  { echo \"$# $1\" | sed 's/ .*-[0-9]*[.]script$/ script/'; cat \"$script\"; } > told\n";
    fs::write(&path, script).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable file");
    path.display().to_string()
}

#[test]
fn the_first_line_names_the_interpreter() {
    let folder = Folder::new("interpreter");
    let teller = teller(&folder);
    run(folder
        .jobs(&format!("  - name: boil\n    command: |\n      #!{teller}\n      boil(\"$x\")\n")));
    assert_eq!(folder.read("told"), format!("1 script\n#!{teller}\nboil(\"$x\")\n"));
    run(folder
        .jobs(&format!("  - name: boil\n    command: |\n      #!{teller} -x y\n      boil()\n")));
    assert_eq!(folder.lines("told")[0], "2 -x y");
}

#[test]
fn other_interpreters_read_values_from_their_environment_and_stdin() {
    let folder = Folder::new("interpreter_env");
    let path = folder.0.join("kettle");
    fs::write(
        &path,
        "#!/bin/sh\ncat >> told; echo \"$CUSTOMER $TEA\" >> told; grep -q mended $1\n",
    )
    .expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable file");
    let kettle = path.display();
    let file = folder.file(&format!(
        "name: tea
env: {{ TEA: '${{{{ input.tea }}}}' }}
failure_handlers: [{{ name: mend, rules: [{{ match_all_exit_codes: true, max_retries: 1, recovery_script: \"#!{kettle}\\nmended()\" }}] }}]
jobs:
  - name: boil
    command: \"#!{kettle}\\nboil()\"
    env: {{ CUSTOMER: '${{{{ input.customer }}}}' }}
    stdin: '${{{{ input.tea }}}} '
    failure_handler: mend
"
    ));
    let input = serde_json::json!({ "customer": "Ada $(touch broken)", "tea": "green" });
    let failed = Engine::default().run(file).input(input).wait().expect_err("it boils twice");
    drop(failed);
    let once = "Ada $(touch broken) green";
    assert_eq!(
        folder.lines("told"),
        [format!("green {once}"), once.to_owned(), format!("green {once}")]
    );
}

#[test]
fn shells_take_values_and_their_options() {
    let folder = Folder::new("interpreter_shell");
    run(folder.jobs(
        "
  - { name: count, command: 'echo cups=3 > \"$WORKFLOW_OUTPUT\"' }
  - name: boil
    command: |
      #!/bin/sh -u
      echo ${{ jobs.count.outputs.cups }} > cups
      cat >> cups
    stdin: from stdin
",
    ));
    assert_eq!(folder.lines("cups"), ["3", "from stdin"]);
    let report =
        failed(folder.jobs("  - { name: boil, command: \"#!/bin/sh -u\\necho $NOWHERE\" }\n"));
    assert!(error(&report, "boil").contains("NOWHERE"));
}

#[test]
fn an_interpreter_that_is_not_there_is_named() {
    let folder = Folder::new("interpreter_missing");
    let report =
        failed(folder.jobs("  - { name: boil, command: \"#!/nowhere/kettle\\nboil()\" }\n"));
    assert_eq!(
        error(&report, "boil"),
        "cannot start `/nowhere/kettle`, which the first line of the script names: no such file or \
         folder; install it, or correct the line"
    );
}

#[test]
fn values_in_scripts_of_other_interpreters_are_rejected() {
    let told = |rest: &str| {
        let text = format!("name: tea\njobs:\n  - name: boil\n{rest}");
        let found = wrong(&text);
        let one = found.iter().next().expect("an error");
        format!("{} => {}", one.message(), one.help().unwrap_or_default())
    };
    let script = "    command: |\n      #!/usr/bin/env python3\n      print(${{ input.n }})\n";
    assert_eq!(
        told(script),
        "a value cannot be put into a script of `python3` => pass it with `env`, and read the \
         environment in the script, as `os.environ[\"NAME\"]` does in Python"
    );
    let setup =
        "    invocation_script: . ./env.sh;\n    command: |\n      #!/usr/bin/env python3\n";
    assert_eq!(
        told(setup),
        "this runs in the shell, and the command in `python3` => let the command call it: \
         `python3 - <<'END'`, the script, `END`"
    );
    let action = "    command: kettle\nactions:\n  - trigger_type: on_workflow_start\n    \
                  action_type: run_commands\n    commands: [\"#!/usr/bin/python3\\nprint()\"]\n";
    assert!(told(action).starts_with("the commands of an action run in the shell => call the"));
    sound(
        "tea.yaml",
        "name: tea\njobs:\n  - name: boil\n    command: |\n      #!/usr/bin/env python3\n      print('$${{ x }}')\n",
    );
}

#[test]
fn an_interpreter_from_a_parameter_is_checked_when_the_job_starts() {
    let folder = Folder::new("interpreter_parameter");
    let jobs = |with: &str| {
        folder.jobs(&format!(
            "  - {{ name: 'boil_{{with}}', command: \"#!/usr/bin/env {{with}}\\n\
             echo '${{{{ input }}}}' > told\", parameters: {{ with: [{with}] }} }}\n"
        ))
    };
    let failed = Engine::default().run(jobs("python3")).input("1'#").wait().expect_err("no shell");
    let told = error(&failed.into_report().expect("the run began"), "boil_python3");
    assert!(told.contains("`${{ input }}` is in a script for `python3`"), "{told}");
    assert!(told.contains("pass it by `env:`"), "{told}");
    ended(Engine::default().run(jobs("sh")).input("1'#"));
    assert_eq!(folder.read("told"), "1'#\n");
}
