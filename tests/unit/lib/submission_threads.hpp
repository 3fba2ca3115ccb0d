// SPDX-License-Identifier: BSL-1.0
//
// Submission threads of this process, as /proc shows them.
#pragma once

#include "run_until.hpp"

#include <coronet/clock.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace coronet::testing {

/// Their ids.
inline std::vector<int> submission_threads() {
    std::vector<int> found;
    std::error_code gone; // threads end while we look
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream file{task.path() / "comm"};
        std::string name;
        if (std::getline(file, name) && name.starts_with("iou-sqp-"))
            found.push_back(std::stoi(task.path().filename()));
    }
    return found;
}

/// Waits until there are as many: they begin and end a little later than their rings.
[[nodiscard]] inline bool submission_threads_become(std::size_t count) {
    return wait_until([&] { return submission_threads().size() == count; });
}

/// 'S' while it sleeps, 'R' while it looks for entries; '?' if there is none.
inline char state_of_thread(int id) {
    std::ifstream file{"/proc/self/task/" + std::to_string(id) + "/stat"};
    std::string number, name;
    char state = '?';
    file >> number >> name >> state;
    return state;
}

/// How long the thread `id` stays awake from now on; 20 s at most.
inline duration awake_for(int id) {
    const time_point begin = clock::now();
    while (state_of_thread(id) != 'S' && clock::now() - begin < std::chrono::seconds{20})
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    return clock::now() - begin;
}

} // namespace coronet::testing
