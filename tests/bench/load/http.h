// SPDX-License-Identifier: BSL-1.0
//
// The HTTP request that is sent, and answers that must all be like the first one (the Date value
// excepted).
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern char* request; // `depth` requests in a row
extern unsigned request_len, answer_len;

// Learns the answer from the server.
void http_probe(int depth);
// Bytes `off` and on of an answer that may be followed by others.
bool verify_answers(const char* p, uint32_t off, uint32_t n);
