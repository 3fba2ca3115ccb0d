// SPDX-License-Identifier: BSL-1.0
#include "ring_error.hpp"

#include <cerrno>
#include <fstream>

namespace coronet {

namespace {

/// The sysctl that switches io_uring off (Linux 6.6): 0, 1 or 2; -1 where there is none.
int io_uring_disabled() {
    std::ifstream file{"/proc/sys/kernel/io_uring_disabled"};
    int value = -1;
    file >> value;
    return file ? value : -1;
}

std::string remedy(int error) {
    switch (error) {
    case ENOSYS:
        return "this kernel has no io_uring, or a seccomp filter hides it: use Linux 5.11 or "
               "newer, "
               "and a container profile that allows io_uring_setup, io_uring_enter and "
               "io_uring_register";
    case EPERM:
        if (io_uring_disabled() == 2)
            return "io_uring is switched off here: sysctl kernel.io_uring_disabled=0";
        if (io_uring_disabled() == 1)
            return "io_uring is kept for CAP_SYS_ADMIN and the group of kernel.io_uring_group: "
                   "join it, or sysctl kernel.io_uring_disabled=0";
        return "io_uring is forbidden to this process: a container's seccomp profile must allow "
               "io_uring_setup, io_uring_enter and io_uring_register";
    case ENOMEM:
        return "not enough memory that may be locked: raise `ulimit -l`, or ask for a smaller "
               "queue_depth";
    case EMFILE:
        return "too many open descriptors: raise `ulimit -n`";
    case ENFILE:
        return "too many open descriptors on this machine: raise fs.file-max";
    default:
        return {};
    }
}

} // namespace

std::system_error ring_error(const std::string& call, int error) {
    const std::string advice = remedy(error);
    return {error, std::generic_category(), advice.empty() ? call : call + " (" + advice + ")"};
}

} // namespace coronet
