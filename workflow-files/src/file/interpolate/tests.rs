//! Scripts with values, judged here and run by real shells.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Values that a careless shell would run, split, or take for something else.
const HOSTILE: [&str; 14] = [
    "a[$(touch PWNED)]",
    "$(touch PWNED)",
    "`touch PWNED`",
    "'; touch PWNED; '",
    "\"; touch PWNED; \"",
    "x\ntouch PWNED\n",
    "-v",
    "--help",
    "*",
    "",
    "{a,b} ~ $HOME \\",
    "END\ntouch PWNED",
    "]] || touch PWNED; [[ x",
    ") || touch PWNED; (",
];

/// A script in which `¤` stands for the value.
fn script(text: &str, value: &str) -> Script {
    let mut script = Script::default();
    for (number, part) in text.split('¤').enumerate() {
        if number > 0 {
            script.push_value(value.to_owned());
        }
        script.push(part);
    }
    script
}

fn judged(text: &str, value: &str, interpreter: &Interpreter) -> Result<Interpolated, Refused> {
    script(text, value).finish(interpreter)
}

/// What a shell prints for a script, in a folder of its own.
fn printed(shell: &str, interpolated: &Interpolated, folder: &Path) -> String {
    let mut command = Command::new(shell);
    command.arg("-c").arg(&interpolated.text).current_dir(folder).stdin(Stdio::null());
    command.envs(interpolated.variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("a shell");
    String::from_utf8(output.stdout).expect("text")
}

fn folder(name: &str) -> PathBuf {
    let process = std::process::id();
    let folder = std::env::temp_dir().join(format!("workflow-interpolate-{process}-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Shells to run scripts with.
fn shells(text: &str) -> Vec<(&'static str, Interpreter)> {
    let has_dash = Path::new("/bin/dash").exists();
    let mut shells = vec![("bash", Interpreter::Bash)];
    if has_dash && judged(text, "text", &Interpreter::Posix).is_ok() {
        shells.extend([("dash", Interpreter::Posix), ("bash", Interpreter::Posix)]);
    }
    shells
}

/// Runs a script with every value, and compares what it prints.
fn arrives(name: &str, text: &str, expected: &dyn Fn(&str) -> String) {
    let folder = folder(name);
    for (shell, interpreter) in shells(text) {
        for value in HOSTILE {
            let judged = judged(text, value, &interpreter)
                .unwrap_or_else(|refused| panic!("{text} with {value:?}: {refused:?}"));
            let told = printed(shell, &judged, &folder);
            assert_eq!(told, expected(value), "{shell}: {text} with {value:?}");
        }
    }
    let left: Vec<_> = std::fs::read_dir(&folder).expect("a folder").collect();
    assert!(left.is_empty(), "{text}: {left:?}");
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// What `$( )` leaves of a text.
fn substituted(value: &str) -> &str {
    value.trim_end_matches('\n')
}

#[test]
fn values_in_proven_places_arrive_unchanged() {
    for (number, text) in [
        "printf '<%s>' ¤",
        "printf '<%s>' \"¤\"",
        "printf '<%s>' '¤'",
        "printf '<%s>' \\\n  ¤",
        "printf '<%s>' ''¤\"\"",
        "x=¤; printf '<%s>' \"$x\"",
        "x=\"¤\" && printf '<%s>' \"$x\"",
        "if true; then printf '<%s>' ¤; else echo ¤; fi",
        "for x in ¤; do printf '<%s>' \"$x\"; done",
        "while :; do printf '<%s>' ¤; break; done",
        "until ! :; do printf '<%s>' ¤; break; done",
        "case ¤ in b) echo no;; *) printf '<%s>' ¤ ;; esac",
        "case b in (b) printf '<%s>' '¤' ; esac",
        "{ printf '<%s>' ¤; }",
        "{ { printf '<%s>' ¤; } }",
        "( printf '<%s>' ¤ )",
        "! false && printf '<%s>' ¤ || printf '<%s>' ¤",
        "f() { printf '<%s>' \"$1\"; }; f ¤",
        "f () ( printf '<%s>' \"$@\" )\nf '¤'",
        "# it's ¤\nprintf '<%s>' ¤ # ¤ \"",
        "printf a#'' >/dev/null; printf '<%s>' ¤",
        "printf '<%s>' ¤ 2>&1 | cat",
        "printf '<%s>' ¤ |\n cat",
        "printf '<%s>' ¤ > /dev/stdout",
        "env X=1 printf '<%s>' ¤",
        "X=1 command printf '<%s>' ¤",
        "timeout 5 printf '<%s>' ¤",
        "set -eu; printf '<%s>' ¤",
        "set -- ¤; printf '<%s>' \"$1\"",
        "echo $((1<<2)) >/dev/null; printf '<%s>' ¤",
        "test -n x¤ && printf '<%s>' ¤",
        "[ a¤ != b ] && printf '<%s>' ¤",
        "[ ! a¤ = b ] && printf '<%s>' ¤",
        "y=${x:-none}; printf '<%s>' ¤",
        "printf '<%s>' ¤; exit\nrest of it ¤",
        "sed -n -e 's/a/b/' -- /dev/null; printf '<%s>' ¤",
        "awk -v x=1 'BEGIN { exit }' ¤; printf '<%s>' ¤",
        "awk 'BEGIN { printf \"<%s>\", ARGV[1] }' ¤",
        "sh -c 'exit 0'; printf '<%s>' ¤",
        "n=5; y=$((n + 1)); printf '<%s>' ¤",
        "trap 'true' EXIT; printf '<%s>' ¤",
        "x=¤; trap 'printf \"<%s>\" \"$x\"' EXIT",
        "python3 -c 'import sys; sys.stdout.write(\"<%s>\" % sys.argv[1])' ¤",
        "true &\nwait; printf '<%s>' ¤",
        "f() { cat; }; printf '<%s>' ¤ | f; echo 'exit 0' | sh",
        "f() { sh; }; echo 'exit 0' | f; printf '<%s>' ¤",
        "exec 3<<END\n¤\nEND\nprintf '<%s>' ¤",
        "[ x = y ] && ls *.none || printf '<%s>' ¤",
        "printf '<%s>' ¤ | sed 's/e/e/;s/[/]/e/g;y/e/e/;/e/b end;s,x,x,w /dev/null\n:end'",
        "git -c user.name=¤ -c core.pager=cat --version >/dev/null; printf '<%s>' ¤",
        "git submodule none ¤ 2>/dev/null; git -c core.pager=cat none ¤ 2>/dev/null; printf '<%s>' ¤",
        "a=none; printf '<%s>' ¤ | sed \"s/$a/none/g;/$a/d\"",
        "tar -cf ¤ --no-such-option x 2>/dev/null; printf '<%s>' ¤",
        "printf '<%s>' ¤ | split --bytes=1G --filter='cat >/dev/stdout'",
    ]
    .into_iter()
    .enumerate()
    {
        if text.starts_with("python3") && Command::new("python3").arg("-V").output().is_err() {
            continue;
        }
        arrives(&format!("words-{number}"), text, &|value| format!("<{value}>"));
    }
}

#[test]
fn values_arrive_through_substitutions() {
    for (number, text) in [
        "x=\"$(printf %s \"¤\")\"; printf '<%s>' \"$x\"",
        "printf '<%s>' \"$(printf %s '¤')\"",
        "printf '<%s>' \"`printf %s \"¤\"`\"",
        "printf '<%s>' \"`printf %s '¤'`\"",
        "printf '<%s>' \"$(printf %s \"$(printf %s ¤)\")\"",
        "printf '<%s>' \"$(case a in a) printf %s ¤;; esac)\"",
        "printf '<%s>' \"$( # it's )\nprintf %s ¤)\"",
        "printf '<%s>' \"$(if true; then printf %s '¤'; fi)\"",
        "printf '<%s>' \"$(cat <<END\n¤\nEND\n)\"",
        "printf '<%s>' \"$(cat <<-END\n\t¤\n\tEND\n)\"",
        "printf '<%s>' \"$(printf %s\\\\n ¤ | while IFS= read -r line; do printf '%s\\n' \"$line\"; done)\"",
        "printf '<%s>' \"$(cat <<A; cat <<B\n¤\nA\nB\n)\"",
    ]
    .into_iter()
    .enumerate()
    {
        arrives(&format!("inner-{number}"), text, &|value| format!("<{}>", substituted(value)));
    }
}

#[test]
fn bash_syntax_is_proven_only_for_bash() {
    for (number, text) in [
        "printf '<%s>' $'¤'",
        "printf '<%s>' $'\\'' >/dev/null; printf '<%s>' $''$'¤'",
        "a=(x ¤); printf '<%s>' \"${a[1]}\"",
        "[[ ¤ == \"¤\" ]] && printf '<%s>' ¤",
        "[[ ! -n ¤ && ¤ != ¤ || ( x == x ) ]] && printf '<%s>' ¤",
        "[[ x¤ =~ ^(x|y) ]] && printf '<%s>' ¤",
        "(( 1 + 1 )) && printf '<%s>' ¤",
        "function f { printf '<%s>' \"$1\"; }; f ¤",
        "x=¤; x+=''; printf '<%s>' \"$x\"",
        "[[ x ]]; set -euo pipefail; printf '<%s>' ¤",
        "time -p printf '<%s>' ¤ 2>/dev/null",
        "printf '<%s>' ¤ |& cat",
        "printf '<%s>' ¤ &> /dev/stdout",
        "printf -v x %s ¤; printf '<%s>' \"$x\"",
        "x=¤; printf '<%s>' \"${x//\\//\\/}\"",
        "declare -r x=¤; printf '<%s>' \"$x\"",
        "x=¤; : ${x@Q} ${#x} ${x^}; printf '<%s>' \"$x\"",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(judged(text, "text", &Interpreter::Posix).is_err(), "{text}");
        arrives(&format!("bash-{number}"), text, &|value| format!("<{value}>"));
    }
}

/// Places in which only integers may stand.
const REFUSED: &[&str] = &[
    "echo $(( 1 + (¤) ))",
    "echo \"$(( ¤ ))\"",
    "echo $(( $(echo ¤) + 1 ))",
    "(( ¤ > 5 ))",
    "((¤))",
    "if (( ¤ )); then :; fi",
    "echo $[ ¤ ]",
    "let x=¤+1",
    "let \"x = ¤\"",
    "a[¤]=1",
    "a=([¤]=1)",
    "a=(1 2); echo ${a[¤]}",
    "echo \"${a[$(echo ¤)]}\"",
    "echo ${x:¤} ${x:1:¤}",
    "echo ${x:-¤}",
    "echo \"${x/¤/b}\"",
    "[[ ¤ -gt 5 ]]",
    "[[ 5 -le \"¤\" ]]",
    "[[ -v ¤ ]]",
    "[[ -n x && ! -v ¤ ]]",
    "[ -v ¤ ]",
    "test -v ¤",
    "[ ¤ -eq 5 ]",
    "test 5 -gt ¤",
    "[ ¤ ¤ ]",
    "[ -n ¤ -a -n x ]",
    "declare -i x=¤",
    "declare -i x; x=¤",
    "declare -n x=¤",
    "declare ¤=1",
    "export ¤",
    "printf -v ¤ x",
    "printf ¤ ¤ x",
    "printf \"¤\"",
    "read ¤",
    "unset ¤",
    "eval ¤",
    "eval \"echo '¤'\"",
    "eval \"$(echo ¤)\"",
    "bash -c ¤",
    "bash -c \"echo ¤\"",
    "bash -c 'echo $1' _ ¤",
    "sh -ec 'echo ¤'",
    "/bin/sh -c \"¤\"",
    "env -i bash -c \"¤\"",
    "sudo -u bob ¤",
    "sudo ¤ x",
    "exec ¤",
    "command ¤",
    "timeout 5 sh -c '¤'",
    "docker run image sh -c \"¤\"",
    "docker run --name bash image sh -c \"¤\"",
    "find . -exec sh -c 'echo ¤' \\;",
    "source ¤",
    ". ./lib.sh ¤",
    "trap ¤ EXIT",
    "trap \"echo ¤\" EXIT",
    "ssh host ¤",
    "echo x | xargs echo ¤",
    "echo ¤ | xargs echo",
    "echo ¤ | sh",
    "echo ¤ | tee x | bash -s",
    "echo ¤ | sudo bash",
    "{ echo ¤; } | { cat | sh; }",
    "bash <<< ¤",
    "bash <<END\n¤\nEND",
    "cat <<END | sh\n¤\nEND",
    "while :; do sh; done <<END\n¤\nEND",
    "bash < ¤",
    "bash ¤",
    "bash $x ¤",
    "python3 ¤",
    "python3 -c \"print(¤)\"",
    "python3 -c \"$x\" ¤",
    "perl -e 'print' ¤",
    "node -e \"¤\"",
    "awk ¤ file",
    "awk \"{ print ¤ }\" file",
    "awk -f ¤ file",
    "awk -v ¤ '{ print }'",
    "sed s/a/¤/ file",
    "sed -e \"¤\" file",
    "sed -n 1p ¤",
    "sed -f ¤ file",
    "sed --file ¤ file",
    "a='.*'; echo ¤ | sed \"s/$a/echo &/ge; p\"",
    "jq .¤ file",
    "sqlite3 base \"select '¤'\"",
    "¤",
    "¤ --help",
    "\"./bin/¤\" x",
    "$x ¤",
    "cat <<'END'\n¤\nEND",
    "cat <<END\n$(( ¤ ))\nEND",
    "case x in ¤) ;; esac",
    "set ¤",
    "tar xf a.tar --to-command=¤",
    "tar cf a.tar --checkpoint-action \"exec=¤\" .",
    "PATH=¤ ls",
    "PS4=¤; set -x; :",
    "SECONDS=¤",
    "echo \\¤",
    "on_host() { bash; }; on_host <<END\n¤\nEND",
    "on_host() { bash; }\nwith() { on_host; }\necho ¤ | with",
    "with() { on_host; }; on_host() { sh; }; with <<< ¤",
    "f() { sh; }; echo ¤ | f",
    "f() { bash; }; f <<< ¤",
    "eval 'f() { bash; }'; f <<< ¤",
    "eval sh <<< ¤",
    "echo ¤ | bash -c 'cat | sh'",
    "exec 3<<END\n¤\nEND\nbash <&3",
    "exec 4<<END\n¤\nEND\nsource /dev/fd/4",
    "exec <<< ¤; bash",
    "command exec <<< ¤; bash",
    "exec {fd}<<< ¤; bash <&$fd",
    "exec {fd}<<< ¤; bash /dev/fd/$fd",
    "bash /proc/self/fd/0 <<< ¤",
    "source /dev/stdin <<< ¤",
    "/bin/ba?h -c \"echo ¤\"",
    "/bin/ba[s]h -c ¤",
    "{bash,-c,'echo x'} ¤",
    ": ¤; (( $_ > 1 ))",
    "echo ¤; eval \"$_\"",
    "seq 3 | split -l 1 --filter=\"gzip > ¤.gz\"",
    "split --filt \"gzip > ¤\" x",
    "tar -I \"gzip -¤\" -cf x.tar x",
    "tar cIf \"gzip -¤\" x.tar x",
    "tar --use-compress-program=\"gzip -¤\" -cf x.tar x",
    "tar --use-comp \"gzip -¤\" -cf x.tar x",
    "tar --info-script ¤ -cf x.tar x",
    "sort --compress-program=¤ x",
    "rsync -e \"ssh -i ¤\" a b",
    "rsync -ave \"ssh -i ¤\" a b",
    "history -s ¤; fc -s",
    "echo ¤ | sed 's/.*/echo &/e'",
    "echo ¤ | sed -n -e 1p -e 's,[,],x,;s/.*/echo &/ge'",
    "echo ¤ | sed -ne '/x/e'",
    "echo ¤ | sed --expression='1e'",
    "sg root \"echo ¤\"",
    "tmux new-session -d \"echo ¤\"",
    "screen -dm sh -c \"echo ¤\"",
    "screen -X stuff ¤",
    "git -c alias.x=\"!echo ¤\" x",
    "git -C x -c core.pager=\"less ¤\" log",
    "git config alias.x ¤",
    "git clone -c core.sshCommand=¤ x",
    "git bisect run ¤",
    "git rebase -x \"echo ¤\" main",
    "sbatch --wrap=\"train ¤\"",
    "sbatch <<END\n¤\nEND",
    "nix-shell --run \"echo ¤\"",
];

#[test]
fn in_unproven_places_only_integers_are_inserted() {
    for text in REFUSED {
        for value in ["a[$(touch PWNED)]", "", "x", "1 2", "1\n", "0x1", "1.5", "--1"] {
            let refused = judged(text, value, &Interpreter::Bash);
            assert!(refused.is_err(), "{text} with {value:?}: {refused:?}");
            assert!(judged(text, value, &Interpreter::Posix).is_err(), "{text} with {value:?}");
        }
        for value in ["5", "-41", "007"] {
            let put_in = judged(text, value, &Interpreter::Bash).expect(text).text;
            assert!(put_in.contains(value) || put_in.contains("WORKFLOW_VALUE"), "{put_in}");
        }
    }
}

#[test]
fn unparsable_scripts_prove_nothing() {
    for text in [
        "echo \"¤",
        "echo '¤",
        "echo ¤ )",
        "fi; echo ¤",
        "if true; then echo ¤",
        "select x in ¤; do break; done",
        "coproc cat; echo ¤",
        "for ((i = 0; i < 3; i++)); do echo ¤; done",
        "alias e=x; echo ¤",
        "shopt -s extglob; echo ¤",
        "shopt -s expand_aliases; echo ¤",
        "set -o posix; echo ¤",
        "echo ((¤))",
        "echo @(x) ¤",
        "cat <<END ¤\nnever ends",
        "cat <<$x\n¤\n$x",
        "cat <<END\n¤ \\\nEND\nEND",
        "cat <<A \"$(echo\n)\" ¤\nA\n",
        "echo `echo \\`¤\\``",
        "echo $\"¤\"",
        "echo > >(sh) ¤",
        "((echo ¤); echo b)",
        "if\\\n true; t\\\nhen echo ¤; fi",
    ] {
        assert!(judged(text, "text", &Interpreter::Bash).is_err(), "{text}");
        assert!(judged(text, "5", &Interpreter::Bash).is_ok(), "{text}");
    }
}

#[test]
fn values_are_followed_through_variables() {
    for text in [
        "rows=¤; (( rows > 5 ))",
        "rows=¤\nif [[ $rows -gt 5 ]]; then :; fi",
        "x=\"$(basename \"¤\")\"; echo $((x))",
        "x=¤; y=$x; z=y; (( z ))",
        "for x in 1 ¤; do echo $((x)); done",
        "echo ¤ | while read -r n; do (( n )); done",
        "read -r n <<< ¤; (( n ))",
        "read -r n <<END\n¤\nEND\n(( n ))",
        "mapfile -t a < <(echo ¤); (( a[0] ))",
        "f() { (( $1 )); }; f ¤",
        "f() { echo $((n)); }; n=¤; f",
        "g() { echo ¤; }; x=$(g); (( x ))",
        "set -- ¤; (( $1 ))",
        "for x; do (( x )); done; set -- ¤",
        "x=¤; eval \"$x\"",
        "x=¤; eval '(( x ))'",
        "x=¤; trap '(( x ))' EXIT",
        "x=¤; bash -c \"$x\"",
        "x=¤; echo \"$x\" | sh",
        "x=¤; $x",
        "x=¤; a[$x]=1",
        "x=¤; echo ${a[x]} ",
        "x=¤; echo ${y:x}",
        "x=¤; echo ${!x}",
        "x=¤; echo ${x@P}",
        "x=¤; [[ -v $x ]]",
        "x=¤; unset \"$x\"",
        "x=¤; declare \"$x\"",
        "x=¤; printf -v \"$x\" y",
        "declare -i n; x=¤; n=$x",
        "x=¤; PATH=$x; ls",
        "x=¤; python3 \"$x.py\"",
        ": ${x:=$y}; y=¤; (( x ))",
        "printf -v x %s ¤; (( x ))",
        "[[ ¤ =~ . ]]; (( BASH_REMATCH[0] ))",
        "x=¤; source \"$x\"",
    ] {
        let refused = judged(text, "a[$(touch PWNED)]", &Interpreter::Bash);
        assert!(refused.is_err(), "{text}: {refused:?}");
        assert!(judged(text, "5", &Interpreter::Bash).is_ok(), "{text}");
    }
    for text in [
        "name=¤; i=0; while (( i < 3 )); do echo \"$name\"; i=$((i + 1)); done",
        "out=¤; trap 'rm -f \"$out\"' EXIT; a=(1 2); echo ${a[0]}",
        "x=¤; bash build.sh \"$x\"; [[ -v x ]]; unset x",
        "f() { echo \"$1\"; }; f ¤; n=3; (( n ))",
    ] {
        assert!(judged(text, "text", &Interpreter::Bash).is_ok(), "{text}");
    }
}

#[test]
fn values_are_followed_through_the_environment() {
    let judged = |text: &str, value: &str| {
        let mut script = Script::default();
        script.push(text);
        if !is_integer(value) {
            script.hold("N");
        }
        script.finish(&Interpreter::Bash)
    };
    for text in [
        "[[ $N -gt 5 ]]",
        "echo $((N))",
        "m=$N; (( m ))",
        "eval \"$N\"",
        "$N x",
        "exec 3<<< \"echo $N\"; bash <&3",
        "on_host() { sh; }; on_host <<< \"$N\"",
        "echo \"$N\"; (( $_ ))",
    ] {
        let refused = judged(text, "a[$(touch PWNED)]").expect_err(text);
        assert_eq!(refused.what, Refusal::Held(0), "{text}");
        assert!(judged(text, "7").is_ok(), "{text}");
    }
    for (name, reason) in [
        ("GIT_SSH_COMMAND", "is assigned to `GIT_SSH_COMMAND`, which changes what programs do"),
        ("BASH_ENV", "is assigned to `BASH_ENV`, which changes what programs do"),
        ("MY_EDITOR", "is assigned to `MY_EDITOR`, which changes what programs do"),
    ] {
        for first in ["", "#!/usr/bin/env python3\n", "not understood )"] {
            let mut script = Script::default();
            script.push(first);
            script.hold(name);
            let refused = script.finish(&Interpreter::of(first, true)).expect_err(name);
            assert_eq!(refused, Refused { what: Refusal::Held(0), reason: reason.to_owned() });
        }
    }
    for text in ["echo \"$N\"", "[ \"$N\" = x ]", "python3 a.py \"$N\"", "not understood )"] {
        assert!(judged(text, "a[$(touch PWNED)]").is_ok(), "{text}");
    }
}

#[test]
fn values_are_followed_from_the_stdin() {
    let judged = |text: &str| {
        let mut script = Script::default();
        script.push(text);
        script.hold_stdin();
        script.finish(&Interpreter::of(text, true))
    };
    for text in [
        "bash",
        "cat | sh",
        "f() { bash; }; f",
        "bash < /dev/stdin",
        "exec 3<&0; bash <&3",
        "bash 3< file",
        "eval 'sh -s'",
        "source /dev/stdin",
        "sed 1e",
        "read -r rows; (( rows > 5 ))",
        "mapfile -t rows; [[ ${rows[0]} -gt 5 ]]",
        "x=$(cat); read -r n <<< \"$x\"; echo $((n))",
        "while read -r line; do eval \"$line\"; done",
        "x=$(cat); (( x ))",
        "x=`head -n 1`; eval \"$x\"",
    ] {
        let refused = judged(text).expect_err(text);
        assert_eq!(refused.what, Refusal::Held(0), "{text}");
        assert!(refused.reason.starts_with("is in `stdin`, which "), "{}", refused.reason);
    }
    for text in [
        "cat > told",
        "read -r name; echo \"$name\"",
        "source ./env.sh; cat",
        "cat > data; python3 - <<'END'\nprint()\nEND",
        "bash build.sh",
        "bash < build.sh",
        "#!/usr/bin/env python3\nprint()",
    ] {
        assert_eq!(judged(text).map(|it| it.variables), Ok(Vec::new()), "{text}");
    }
}

#[test]
fn other_interpreters_are_given_integers() {
    let interpreter = |text: &str| Interpreter::of(text, true);
    assert_eq!(interpreter("echo"), Interpreter::Bash);
    assert_eq!(interpreter("#!/bin/bash -e\n"), Interpreter::Bash);
    assert_eq!(interpreter("#!/bin/sh\n"), Interpreter::Posix);
    assert_eq!(interpreter("#!/usr/bin/env -S X=1 bash\n"), Interpreter::Bash);
    assert_eq!(Interpreter::of("echo", false), Interpreter::Posix);
    for first in ["#!/usr/bin/env python3\n", "#!/usr/bin/perl -w\n", "#!\n"] {
        let text = format!("{first}print('¤')\n");
        let refused = judged(&text, "x", &interpreter(&text)).expect_err(first);
        assert!(refused.reason.contains("not a known shell"), "{refused:?}");
        let put_in = judged(&text, "-5", &interpreter(&text)).expect(first);
        assert_eq!(put_in.text, format!("{first}print('-5')\n"));
    }
}

#[test]
fn deep_and_long_scripts_are_judged() {
    let nested = |open: &str, close: &str| {
        format!("{}echo ¤{}", open.repeat(100_000), close.repeat(100_000))
    };
    for text in [
        nested("echo $(", ")"),
        nested("( ", ")"),
        nested("{ ", "; }"),
        nested("if true; then ", "; fi"),
        nested("echo \"${x:-", "}\""),
        nested("echo $((", "))"),
        nested("env ", ""),
        nested("find . -exec ", ""),
        nested("[[ ( ", " ) ]]"),
        nested("f() { ", "; }"),
        nested("echo | sh ", ""),
        nested("echo sh | ", ""),
        nested("eval '", "'"),
        nested("cat <<E\n", "\nE"),
        nested("declare -i ", ""),
    ] {
        // Nested too deep for a proof, or flat and understood: neither takes long.
        assert!(judged(&text, "5", &Interpreter::Bash).is_ok(), "{}", &text[..20]);
    }
}

/// Pieces of scripts that print one value each, between `<` and `>`.
fn piece() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "printf '<%s>' ¤",
        "printf '<%s>' \"¤\"",
        "printf '<%s>' '¤'",
        "printf '<%s>' x\"\"'y'¤ | sed 's/<xy/</;s/^xy//'",
        "printf '<%s>' \"$(printf '%s.' \"¤\" | sed '$s/\\.$//')\"",
        "x=¤; printf '<%s>' \"$x\"",
        "printf '<%s>' \"`printf '%s' \"¤\"`\"",
        "cat <<'A'\n<>\nA\n",
        "printf '<'; cat <<A\n¤\nA\nprintf '>'",
        ": # it's a comment ¤ \" $( `\n",
        ": \"it's\" 'a \"' \\' \\\" $((1 << 2)) ${x:-y} \"${x%\\\"}\"",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}\n{b}")),
            inner.clone().prop_map(|a| format!("if true; then {a}\nfi")),
            inner.clone().prop_map(|a| format!("{{ {a}\n}}")),
            inner.clone().prop_map(|a| format!("( {a}\n)")),
            inner.clone().prop_map(|a| format!("case x in x) {a}\n;; esac")),
            inner.clone().prop_map(|a| format!("for i in 1; do {a}\ndone")),
            inner.clone().prop_map(|a| format!("f() {{ {a}\n}}; f")),
            inner.clone().prop_map(|a| format!("printf '%s' \"$( {a}\n)\"")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{ {a}\n}} && {{ {b}\n}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Composed scripts do with every value what they do with a plain word, or refuse it.
    #[test]
    fn composed_scripts_keep_values(text in piece(), nth in 0..HOSTILE.len()) {
        let folder = folder("composed");
        for (shell, interpreter) in [("bash", Interpreter::Bash), ("dash", Interpreter::Posix)] {
            if !Path::new("/bin").join(shell).exists() {
                continue;
            }
            let plain = judged(&text, "plain", &interpreter);
            let hostile = judged(&text, HOSTILE[nth], &interpreter);
            prop_assert_eq!(plain.is_ok(), hostile.is_ok(), "{}", &text);
            let (Ok(plain), Ok(hostile)) = (plain, hostile) else { continue };
            prop_assert_eq!(&plain.text, &hostile.text);
            prop_assert!(plain.variables.len() == text.matches('¤').count());
            printed(shell, &hostile, &folder);
            prop_assert!(std::fs::read_dir(&folder).expect("a folder").next().is_none(), "{}", text);
            let expected = printed(shell, &plain, &folder);
            let told = printed(shell, &hostile, &folder);
            // `$( )` takes off the last ends of lines.
            if !HOSTILE[nth].ends_with('\n') {
                prop_assert_eq!(expected.replace("plain", HOSTILE[nth]), told, "{}: {}", shell, &text);
            }
        }
        std::fs::remove_dir_all(folder).expect("a folder");
    }
}
