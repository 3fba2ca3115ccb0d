// SPDX-License-Identifier: BSL-1.0
//
// The smallest program that proves an installation: it compiles against the headers, links the
// library and takes one await through the kernel and back. All three ways of using Coronet build
// it.
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>
#include <coronet/version.hpp>

#include <chrono>
#include <iostream>

namespace {

using namespace std::chrono_literals;

coronet::task<coronet::result<void>> nap() {
    co_return co_await coronet::sleep_for(1ms);
}

} // namespace

int main() {
    const auto slept = coronet::run(nap());
    std::cout << "consumer of " << coronet::version << (slept ? ": ok" : ": failed") << '\n';
    return slept ? 0 : 1;
}
