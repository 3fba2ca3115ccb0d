// SPDX-License-Identifier: BSL-1.0
//
// Asio itself, where it is compiled separately (ASIO_SEPARATE_COMPILATION): in one file of the
// program. Else there is nothing here.
#include <coronet/net/asio/config.hpp>

#if defined(BOOST_ASIO_SEPARATE_COMPILATION)
#include <boost/asio/impl/src.hpp>
#elif defined(ASIO_SEPARATE_COMPILATION)
#include <asio/impl/src.hpp>
#endif
