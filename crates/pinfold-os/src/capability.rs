//! Capabilities by name: `capabilities(7)`.

/// Their names in lower case, without `cap_`, each at its number: all that Linux 5.9 and later have.
pub const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The number of a capability that is called so: `net_admin`, `NET_ADMIN`, `CAP_NET_ADMIN`.
///
/// ```
/// assert_eq!(pinfold_os::capability::number("CAP_NET_ADMIN"), Some(12));
/// assert_eq!(pinfold_os::capability::number("net_amdin"), None);
/// ```
pub fn number(name: &str) -> Option<u32> {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_prefix("cap_").unwrap_or(&lower);
    NAMES.iter().position(|known| *known == name).map(|at| at as u32)
}

/// What this thread may do by its capabilities, as a bit mask by number; 0 where there are none to ask for.
pub fn effective() -> u64 {
    #[cfg(target_os = "linux")]
    {
        rustix::thread::capabilities(None).map_or(0, |sets| sets.effective.bits())
    }
    #[cfg(not(target_os = "linux"))]
    {
        0
    }
}
