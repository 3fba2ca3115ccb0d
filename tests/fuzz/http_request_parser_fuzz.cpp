// SPDX-License-Identifier: BSL-1.0
//
// Any bytes as a stream of requests. Checked: nothing is read that was not received (ASan), the
// outcome does not depend on how the stream was split, and where we accept, an independent parser
// (Debian's http-parser, lenient in many places) accepts the same method, target, fields and body.
// The first byte of the input says how to split the rest.
#include "http_request_parser_fuzz.hpp"

#include <coronet/net/http/chunked_decoder.hpp>
#include <coronet/net/http/request_parser.hpp>

#include <http_parser.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <strings.h>

namespace coronet::http {
namespace {

constexpr limits bounds{
    .head_max = 2048, .target_max = 512, .field_count_max = 16, .body_max = 4096};

struct message {
    std::string method, target;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    bool complete = false;
    bool keep_alive = false;

    bool operator==(const message&) const = default;
};

struct transcript {
    std::vector<message> messages;
    std::optional<status> error;
    std::size_t consumed = 0; // up to the end of the last complete message

    bool operator==(const transcript&) const = default;
};

[[noreturn]] void report(const char* what, std::string_view input) {
    std::fprintf(stderr, "%s\n%.*s\n", what, static_cast<int>(input.size()), input.data());
    std::abort();
}

// Reads requests until the input ends, an error comes or the connection would close.
class reader {
public:
    // `received` grows from call to call; it is copied so that ASan sees each byte read too far.
    void see(std::string_view received) {
        const std::vector<char> copy(
            received.begin() + static_cast<std::ptrdiff_t>(at_), received.end()
        );
        std::string_view rest{copy.data(), copy.size()};
        while (!stopped_ && (in_body_ ? see_body(rest) : see_head(rest))) {
        }
    }

    transcript seen;

private:
    bool see_head(std::string_view& rest) {
        const auto outcome = parser_.parse(rest);
        if (outcome == request_parser::outcome::incomplete) return false;
        if (outcome == request_parser::outcome::failed) return stop(parser_.error());
        const request_head& head = parser_.head();
        message& last = seen.messages.emplace_back();
        last.method = head.method.of(rest);
        last.target = head.target.of(rest);
        last.keep_alive = head.keep_alive;
        for (const field& each : fields{head.fields.of(rest)})
            last.fields.emplace_back(each.name, each.value);
        left_ = head.content_length.value_or(0);
        chunked_ = head.chunked;
        decoder_ = chunked_decoder{bounds};
        in_body_ = true;
        advance(rest, head.size);
        return true;
    }

    bool see_body(std::string_view& rest) {
        message& last = seen.messages.back();
        if (!chunked_) {
            const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
            last.body += rest.substr(0, size);
            left_ -= size;
            advance(rest, size);
            return left_ == 0 && end_message(last);
        }
        const auto step = decoder_.next(rest);
        last.body += step.data;
        advance(rest, step.consumed);
        if (step.outcome == chunked_decoder::outcome::complete) return end_message(last);
        if (step.outcome == chunked_decoder::outcome::failed) return stop(decoder_.error());
        return step.outcome == chunked_decoder::outcome::data;
    }

    bool end_message(message& last) {
        last.complete = true;
        seen.consumed = at_;
        parser_.reset();
        in_body_ = false;
        stopped_ = !last.keep_alive;
        return true;
    }

    bool stop(status error) {
        seen.error = error;
        stopped_ = true;
        return false;
    }

    void advance(std::string_view& rest, std::size_t size) {
        rest.remove_prefix(size);
        at_ += size;
    }

    request_parser parser_{bounds};
    chunked_decoder decoder_{bounds};
    std::size_t at_ = 0;
    std::uint64_t left_ = 0;
    bool chunked_ = false, in_body_ = false, stopped_ = false;
};

transcript read_in_steps(std::string_view input, std::size_t step) {
    reader one;
    for (std::size_t size = step; size < input.size(); size += step)
        one.see(input.substr(0, size));
    one.see(input);
    return one.seen;
}

transcript read_in_two(std::string_view input, std::size_t first) {
    reader one;
    one.see(input.substr(0, first));
    one.see(input);
    return one.seen;
}

// The other parser's view of one message.
class oracle {
public:
    oracle() {
        http_parser_init(&parser_, HTTP_REQUEST);
        parser_.data = this;
        http_parser_settings_init(&settings_);
        settings_.on_url = [](http_parser* p, const char* at, std::size_t n) {
            return self(p).seen.target.append(at, n), 0;
        };
        settings_.on_header_field = [](http_parser* p, const char* at, std::size_t n) {
            return self(p).take_name({at, n}), 0;
        };
        settings_.on_header_value = [](http_parser* p, const char* at, std::size_t n) {
            return self(p).take_value({at, n}), 0;
        };
        settings_.on_body = [](http_parser* p, const char* at, std::size_t n) {
            return self(p).seen.body.append(at, n), 0;
        };
        settings_.on_headers_complete = [](http_parser* p) { return self(p).end_head(*p), 0; };
        settings_.on_message_complete = [](http_parser* p) {
            self(p).seen.complete = true;
            http_parser_pause(p, 1); // one message only
            return 0;
        };
    }

    // How much of the input the message took, or what is wrong with it.
    std::string read(std::string_view input) {
        http_parser_execute(&parser_, &settings_, input.data(), input.size());
        const auto error = HTTP_PARSER_ERRNO(&parser_);
        if (error == HPE_OK || error == HPE_PAUSED) return {};
        return http_errno_name(error);
    }

    message seen;

private:
    static oracle& self(http_parser* parser) { return *static_cast<oracle*>(parser->data); }

    void take_name(std::string_view part) {
        if (!in_name_) seen.fields.emplace_back();
        in_name_ = true;
        seen.fields.back().first += part;
    }
    void take_value(std::string_view part) {
        in_name_ = false;
        seen.fields.back().second += part;
    }
    void end_head(const http_parser& parser) {
        if (head_ended_) return; // trailer fields come after this
        head_ended_ = true;
        seen.method = http_method_str(static_cast<http_method>(parser.method));
        seen.keep_alive = http_should_keep_alive(&parser) != 0;
        field_count_ = seen.fields.size();
    }

    http_parser parser_;
    http_parser_settings settings_;
    bool in_name_ = false, head_ended_ = false;

public:
    std::size_t field_count_ = 0; // without the trailer
};

bool known_to_oracle(std::string_view method) {
    for (const std::string_view each :
         {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
        if (each == method) return true;
    return false;
}

// It takes every field for Transfer-Encoding whose name only begins like that (http_parser 2.9.4
// sets its flag before it has seen the end of the name).
bool misread_by_oracle(const message& ours) {
    constexpr std::string_view start = "transfer-encoding";
    for (const auto& [name, value] : ours.fields)
        if (name.size() > start.size() && strncasecmp(name.data(), start.data(), start.size()) == 0)
            return true;
    return false;
}

void compare_with_oracle(const message& ours, std::string_view input) {
    if (!known_to_oracle(ours.method) || misread_by_oracle(ours)) return;
    oracle theirs;
    const std::string error = theirs.read(input);
    // It stops where a body in chunks goes wrong, and so do we, later in this stream.
    if (!ours.complete) return;
    if (!error.empty()) report(("accepted here, refused there: " + error).c_str(), input);
    theirs.seen.fields.resize(theirs.field_count_);
    for (auto& [name, value] : theirs.seen.fields)
        value.erase(value.find_last_not_of(" \t") + 1);
    if (theirs.seen.method != ours.method) report("method differs", input);
    if (theirs.seen.target != ours.target) report("target differs", input);
    if (theirs.seen.fields != ours.fields) report("fields differ", input);
    if (theirs.seen.body != ours.body) report("body differs", input);
    if (!theirs.seen.complete) report("complete here, incomplete there", input);
}

} // namespace

void check_request_stream(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return;
    const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
    const transcript whole = read_in_steps(input, std::max<std::size_t>(input.size(), 1));
    if (read_in_steps(input, 1) != whole) report("one byte at a time differs", input);
    if (read_in_steps(input, data[0] % 61u + 2) != whole) report("in steps differs", input);
    const std::size_t first = input.empty() ? 0 : data[0] * 7u % input.size();
    if (read_in_two(input, first) != whole) report("in two differs", input);
    if (!whole.messages.empty()) compare_with_oracle(whole.messages.front(), input);
}

} // namespace coronet::http

#ifdef CORONET_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    coronet::http::check_request_stream(data, size);
    return 0;
}
#endif
