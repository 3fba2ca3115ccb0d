// SPDX-License-Identifier: BSL-1.0
#include "submission_thread.hpp"

#include <coronet/clock.hpp>

#include <fstream>
#include <string>
#include <thread>

namespace coronet {

namespace {

using namespace std::chrono_literals;

/// What /proc says: the kernel leaves the line out while somebody else uses the ring.
std::optional<int> noted_thread_of(int ring_fd) {
    std::ifstream info{"/proc/self/fdinfo/" + std::to_string(ring_fd)};
    for (std::string word; info >> word;) {
        int id = -1;
        if (word == "SqThread:" && info >> id && id > 0) return id;
    }
    return std::nullopt;
}

/// Until a submission thread runs, the id of its creator stands there.
bool submits(int thread_id) {
    std::ifstream file{"/proc/" + std::to_string(thread_id) + "/comm"};
    std::string name;
    return std::getline(file, name) && name.starts_with("iou-sqp-");
}

} // namespace

std::optional<int> submission_thread_of(int ring_fd) {
    const time_point deadline = clock::now() + 1s;
    do {
        const auto id = noted_thread_of(ring_fd);
        if (id && submits(*id)) return id;
        std::this_thread::sleep_for(100us);
    } while (clock::now() < deadline);
    return std::nullopt;
}

} // namespace coronet
