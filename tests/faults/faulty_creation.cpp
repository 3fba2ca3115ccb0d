// SPDX-License-Identifier: BSL-1.0
#include "faulty_creation.hpp"

#include <pthread.h>
#include <signal.h>

namespace coronet::test {

scripted_answers creation;
std::atomic<int (*)()> creation_judge{nullptr};
std::atomic<int> unblocked_creations{0};

bool takes(int signal) {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return ::sigismember(&blocked, signal) == 0;
}

} // namespace coronet::test

extern "C" {
// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __real_pthread_create(
    pthread_t* id, const pthread_attr_t* wanted, void* (*function)(void*), void* argument
);
int __wrap_pthread_create(
    pthread_t* id, const pthread_attr_t* wanted, void* (*function)(void*), void* argument
);
int __wrap_pthread_create(
    pthread_t* id, const pthread_attr_t* wanted, void* (*function)(void*), void* argument
) {
    using namespace coronet::test;
    if (takes(SIGTERM)) ++unblocked_creations;
    if (const int error = creation.next()) return error;
    if (const auto judge = creation_judge.load())
        if (const int error = judge()) return error;
    return __real_pthread_create(id, wanted, function, argument);
}
// NOLINTEND(bugprone-reserved-identifier)
}
