//! The memory limit of this process's control group, which in a container is below the machine's
//! memory.
//!
//! A group is bound by its own limit and by those of all groups above it, in both versions
//! (cgroups(7)). The standard library already respects the limit on processors.

use std::fs;
use std::path::{Path, PathBuf};

/// A version of control groups: how it is mounted, and the file with the limit.
struct Version {
    /// The type of file system.
    mounted_as: &'static str,
    /// The controller in the mount's options. Empty if one mount serves all controllers.
    controller: &'static str,
    limit: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version { mounted_as: "cgroup2", controller: "", limit: "memory.max" },
    Version { mounted_as: "cgroup", controller: "memory", limit: "memory.limit_in_bytes" },
];

/// Returns the smallest of the limits, in bytes. `None` without a limit or a control group. `root`
/// is the folder with `/proc` and the mounts.
pub(super) fn memory_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let limits = VERSIONS.iter().filter_map(|version| version.limit(root, &groups, &mounts));
    limits.min()
}

impl Version {
    fn limit(&self, root: &Path, groups: &str, mounts: &str) -> Option<u64> {
        let group = groups.lines().find_map(|line| self.group(line))?;
        let (top, mounted) = mounts.lines().find_map(|line| self.mount(line))?;
        // For a group outside of the mount, only the mount itself is visible.
        let below = Path::new(group).strip_prefix(&top).unwrap_or(Path::new(""));
        let mounted = root.join(mounted.strip_prefix("/").unwrap_or(&mounted));
        let folders = below.ancestors().map(|folder| mounted.join(folder));
        folders.filter_map(|folder| self.own_limit(&folder)).min()
    }

    /// The path of the process's group in a line such as `4:memory:/docker/1f` or `0::/user`.
    fn group<'l>(&self, line: &'l str) -> Option<&'l str> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|one| one == self.controller).then_some(path)
    }

    /// The mounted group and its mount point, from a line of mountinfo (proc(5)).
    fn mount(&self, line: &str) -> Option<(PathBuf, PathBuf)> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (top, at) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let has =
            self.controller.is_empty() || options.split(',').any(|one| one == self.controller);
        (kind == self.mounted_as && has).then(|| (unescaped(top), unescaped(at)))
    }

    /// The limit of one group. `max` means none and does not parse.
    fn own_limit(&self, folder: &Path) -> Option<u64> {
        fs::read_to_string(folder.join(self.limit)).ok()?.trim().parse().ok()
    }
}

/// Decodes a path of mountinfo, which writes blanks and the like as `\040`.
fn unescaped(path: &str) -> PathBuf {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                text.push(char::from(code));
                rest = &after[3..];
            }
            None => {
                text.push('\\');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine as its files describe it.
    struct Machine(PathBuf);

    impl Machine {
        fn new(groups: &str, mounts: &str, limits: &[(&str, &str)]) -> Self {
            let name = format!("workflow-test-{}", uuid::Uuid::new_v4());
            let machine = Self(std::env::temp_dir().join(name));
            machine.write("proc/self/cgroup", groups);
            machine.write("proc/self/mountinfo", mounts);
            limits.iter().for_each(|(path, limit)| machine.write(path, limit));
            machine
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, format!("{text}\n")).expect("it can be written");
        }

        fn limit(&self) -> Option<u64> {
            memory_limit(&self.0)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("it can be removed");
        }
    }

    const SECOND: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n\
                          31 23 0:27 / /proc rw - proc proc rw";
    const FIRST: &str = "30 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
                         33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                         34 30 0:30 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";

    #[test]
    fn a_group_is_bound_by_those_above_it() {
        let limits = [
            ("sys/fs/cgroup/user/job/memory.max", "max"),
            ("sys/fs/cgroup/user/memory.max", "1073741824"),
            ("sys/fs/cgroup/other/memory.max", "1"),
        ];
        let machine = Machine::new("0::/user/job", SECOND, &limits);
        assert_eq!(machine.limit(), Some(1 << 30));
        machine.write("sys/fs/cgroup/user/job/memory.max", "4096");
        assert_eq!(machine.limit(), Some(4096));
    }

    #[test]
    fn a_container_sees_its_group_as_the_mount() {
        let own = [("sys/fs/cgroup/memory.max", "2048")];
        assert_eq!(Machine::new("0::/", SECOND, &own).limit(), Some(2048));
        let first = [("sys/fs/cgroup/memory/memory.limit_in_bytes", "1024")];
        let groups = "5:cpu,cpuacct:/docker/1f\n4:memory:/docker/1f\n0::/";
        assert_eq!(Machine::new(groups, FIRST, &first).limit(), Some(1024));
        let outside = "4:memory:/elsewhere/2a";
        assert_eq!(Machine::new(outside, FIRST, &first).limit(), Some(1024));
        let below = [first[0], ("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "512")];
        assert_eq!(Machine::new("4:memory:/docker/1f/inner", FIRST, &below).limit(), Some(512));
    }

    #[test]
    fn without_a_limit_there_is_none() {
        assert_eq!(Machine::new("0::/", SECOND, &[]).limit(), None);
        assert_eq!(
            Machine::new("0::/", SECOND, &[("sys/fs/cgroup/memory.max", "max")]).limit(),
            None
        );
        assert_eq!(Machine::new("", "", &[]).limit(), None);
        assert_eq!(memory_limit(Path::new("/nowhere")), None);
    }

    #[test]
    fn a_path_may_hold_blanks() {
        let mounts = "30 23 0:26 / /my\\040groups\\x rw - cgroup2 cgroup2 rw";
        let machine = Machine::new("0::/", mounts, &[("my groups\\x/memory.max", "7")]);
        assert_eq!(machine.limit(), Some(7));
    }
}
