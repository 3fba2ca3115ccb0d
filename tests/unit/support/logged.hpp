// SPDX-License-Identifier: BSL-1.0
//
// What is logged while this lives.
#pragma once

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>

namespace coronet::test {

class logged {
public:
    logged() : before_(spdlog::default_logger()) {
        spdlog::set_default_logger(std::make_shared<spdlog::logger>(
            "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)
        ));
    }
    ~logged() { spdlog::set_default_logger(before_); }
    logged(const logged&) = delete;
    logged& operator=(const logged&) = delete;

    [[nodiscard]] std::string text() const { return text_.str(); }
    [[nodiscard]] int count(const std::string& words) const {
        const std::string all = text();
        int found = 0;
        for (auto at = all.find(words); at != std::string::npos; at = all.find(words, at + 1))
            ++found;
        return found;
    }

private:
    std::ostringstream text_;
    std::shared_ptr<spdlog::logger> before_;
};

} // namespace coronet::test
