// SPDX-License-Identifier: BSL-1.0
//
// Runs a program where io_uring is forbidden, as a container would: io_uring_setup fails with
// EPERM or ENOSYS for it and all that it starts. `forbid_io_uring EPERM PROGRAM ARGUMENTS...`
#include "lib/kernel_filter.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <unistd.h>

int main(int argc, char** argv) {
    const bool hidden = argc > 2 && std::strcmp(argv[1], "ENOSYS") == 0;
    const bool refused = argc > 2 && std::strcmp(argv[1], "EPERM") == 0;
    if (!hidden && !refused) {
        std::fprintf(stderr, "usage: forbid_io_uring EPERM|ENOSYS PROGRAM ARGUMENTS...\n");
        return 2;
    }
    const int error = hidden ? ENOSYS : EPERM;
    if (!coronet::testing::make_kernel_answer(SYS_io_uring_setup, error)) {
        std::perror("seccomp");
        return 2;
    }
    ::execv(argv[2], argv + 2);
    std::perror(argv[2]);
    return 2;
}
