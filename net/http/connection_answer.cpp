// SPDX-License-Identifier: BSL-1.0
//
// How an answer gets into the output buffer: status line, fields, framing, content. Straight into
// the buffer, no message object in between. Owner thread.
#include "scan.hpp"

#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace coronet::http {

namespace {

constexpr std::size_t gathered_max = 16 * 1024; // content that waits for more
constexpr std::size_t slice_max = 64 * 1024;    // content in the output buffer at a time
constexpr std::size_t end_of_head_max = 32;

// What a number and the framing around it take at most.
constexpr std::size_t number_max = 20;
constexpr std::size_t length_field_max = 16 + number_max + 2;

// Into room that has been reserved.
void append_number(buffer& to, std::uint64_t number, int base = 10) noexcept {
    std::array<char, number_max> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base);
    to.append_reserved({digits.data(), static_cast<std::size_t>(end.ptr - digits.data())});
}

void append_length_field(buffer& to, std::uint64_t length) noexcept {
    to.append_reserved("Content-Length: ");
    append_number(to, length);
    to.append_reserved("\r\n");
}

// RFC 9110, 15.3.5 and 15.4.5: these end with their head.
bool has_no_content(http::status code) {
    return code == status::no_content || code == status::not_modified;
}

} // namespace

void connection::begin_answer(http::status code) {
    CORONET_ASSERT(answer_ == answer::none);
    if (output_.capacity() == 0) output_ = service_.buffers().take();
    answer_ = answer::begun;
    answer_sent_ = false;
    output_before_ = output_.size();
    content_size_ = 0;
    status_ = code;
    if (!date_known_) service_.refresh_date(); // once for all that is answered at a time
    date_known_ = true;
    if (code == status::ok) return output_.append(service_.begin_of_ok());
    const std::string_view reason = reason_phrase(code);
    const std::string_view fields = service_.common_fields();
    output_.reserve_room(16 + number_max + reason.size() + fields.size());
    output_.append_reserved("HTTP/1.1 ");
    append_number(output_, static_cast<std::uint64_t>(code));
    output_.append_reserved(" ");
    output_.append_reserved(reason);
    output_.append_reserved("\r\n");
    output_.append_reserved(fields);
}

void connection::add_field(std::string_view name, std::string_view value) {
    CORONET_ASSERT(answer_ == answer::begun);
    output_.reserve_room(name.size() + value.size() + 4);
    output_.append_reserved(name);
    output_.append_reserved(": ");
    // RFC 9110, 5.5: a control character would let a value end its line and forge fields.
    while (true) {
        const char* const stop = find_line_stop(value.data(), value.data() + value.size());
        const auto clean = static_cast<std::size_t>(stop - value.data());
        output_.append_reserved(value.substr(0, clean));
        if (clean == value.size()) break;
        output_.append_reserved(" ");
        value.remove_prefix(clean + 1);
    }
    output_.append_reserved("\r\n");
}

void connection::send_answer(std::string_view content) {
    CORONET_ASSERT(answer_ == answer::begun);
    if (has_no_content(status_)) content = {};
    output_.reserve_room(length_field_max + end_of_head_max + content.size());
    if (!has_no_content(status_)) append_length_field(output_, content.size());
    end_head();
    answer_ = answer::complete;
    if (content_omitted_) return;
    output_.append_reserved(content);
    content_size_ = content.size();
}

void connection::stream_answer(framing how, std::uint64_t length) {
    CORONET_ASSERT(answer_ == answer::begun);
    framing_ = how;
    content_left_ = length;
    if (how == framing::chunked && parser_.head().version == version::http_1_0) {
        framing_ = framing::until_close;
        closing_ = true;
    }
    output_.reserve_room(length_field_max + end_of_head_max);
    if (has_no_content(status_))
        content_omitted_ = true;
    else if (framing_ == framing::chunked)
        output_.append_reserved("Transfer-Encoding: chunked\r\n");
    else if (framing_ == framing::length)
        append_length_field(output_, length);
    end_head();
    answer_ = answer::streaming;
}

// Into room that has been reserved.
void connection::end_head() noexcept {
    // A peer that still waits for 100 may or may not send its body now: only the end is certain.
    if (continue_wanted_ || service_.stopping()) closing_ = true;
    if (closing_)
        output_.append_reserved("Connection: close\r\n");
    else if (parser_.head().version == version::http_1_0)
        output_.append_reserved("Connection: keep-alive\r\n");
    output_.append_reserved("\r\n");
}

task<result<void>> connection::write_answer(std::span<const std::byte> content) {
    CORONET_ASSERT(answer_ == answer::streaming);
    if (framing_ == framing::length && content.size() > content_left_)
        co_return std::errc::message_size;
    if (framing_ == framing::length) content_left_ -= content.size();
    if (content_omitted_) co_return result<void>();
    while (!content.empty()) {
        const auto slice = content.first(std::min(content.size(), slice_max));
        add_content({reinterpret_cast<const char*>(slice.data()), slice.size()});
        content = content.subspan(slice.size());
        if (output_.size() < gathered_max) continue;
        auto flushed = co_await flush();
        if (!flushed) co_return flushed.error();
    }
    co_return result<void>();
}

void connection::add_content(std::string_view content) {
    constexpr std::size_t chunk_framing_max = 24;
    content_size_ += content.size();
    output_.reserve_room(content.size() + chunk_framing_max);
    if (framing_ == framing::chunked) {
        append_number(output_, content.size(), 16);
        output_.append_reserved("\r\n");
    }
    output_.append_reserved(content);
    if (framing_ == framing::chunked) output_.append_reserved("\r\n");
}

void connection::finish_answer() {
    CORONET_ASSERT(answer_ == answer::streaming);
    if (framing_ == framing::length && content_left_ > 0) return; // stays unfinished, as it is
    if (framing_ == framing::chunked && !content_omitted_) output_.append("0\r\n\r\n");
    answer_ = answer::complete;
}

// Forgets an answer of which nothing has been sent.
void connection::drop_answer() noexcept {
    if (answer_ != answer::none && !answer_sent_) output_.truncate(output_before_);
    if (!answer_sent_) answer_ = answer::none;
}

task<result<void>> connection::flush() {
    const auto bytes = output_.bytes();
    if (bytes.empty()) co_return result<void>();
    const duration limit = send_timeout();
    auto sent = co_await transport_.send(bytes, limit);
    if (!sent) {
        lost_ = true;
        co_return sent.error();
    }
    note_sent(bytes.size());
    co_return result<void>();
}

void connection::note_sent(std::size_t count) noexcept {
    if (answer_ != answer::none && count > output_before_) answer_sent_ = true;
    output_before_ -= std::min(count, output_before_);
    output_.consume(count);
    // While content streams the buffer is wanted again at once, and may have grown for it.
    if (output_.empty() && answer_ == answer::none)
        service_.buffers().give_back(std::move(output_));
}

} // namespace coronet::http
