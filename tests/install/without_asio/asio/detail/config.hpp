// SPDX-License-Identifier: BSL-1.0
//
// Found before Asio's own header of this name, which every other one of Asio includes.
#error "Asio is absent here"
