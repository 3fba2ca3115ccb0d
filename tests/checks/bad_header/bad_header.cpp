// SPDX-License-Identifier: BSL-1.0
//
// Gives the library something to compile; nothing here includes the header.
int answer() {
    return 42;
}
