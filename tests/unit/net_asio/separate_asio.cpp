// SPDX-License-Identifier: BSL-1.0
//
// Asio itself, where it is compiled separately (ASIO_SEPARATE_COMPILATION): in one file of the
// program. And whether it is the Asio that was meant (tests/asio_versions).
#include <coronet/net/asio/config.hpp>

#if defined(CORONET_EXPECTED_ASIO)
static_assert(CORONET_ASIO_VERSION == CORONET_EXPECTED_ASIO, "another Asio than the one unpacked");
#endif

#if defined(BOOST_ASIO_SEPARATE_COMPILATION)
#include <boost/asio/impl/src.hpp>
#elif defined(ASIO_SEPARATE_COMPILATION)
#include <asio/impl/src.hpp>
#endif
