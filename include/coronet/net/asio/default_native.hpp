// SPDX-License-Identifier: BSL-1.0
//
// Makes Coronet's executor the default of Asio's objects: asio::ip::tcp::socket, asio::steady_timer
// and so on are those of the ring then, as they stand in the program. To be included before any
// header of Asio's, and in each file of the program that includes one (else their types differ from
// file to file): the compiler's -include does it.
//
// On a context without a ring, which may be inside Asio (its iostreams), the first object puts one
// there. What such an object cannot be made of is an executor that is no io_context's (a
// thread_pool's, a strand): that either does not compile or, where any_io_executor hides it, throws
// bad_executor; name the class with that executor there.
//
// Asio can be told the default of these classes, since it asks whether they are declared. Before
// 1.38.2 it does not ask for signal sets and descriptors: theirs stays what it was, and they are in
// Asio's epoll set; only the ring is put below their context first.
#pragma once

#if defined(ASIO_BASIC_SOCKET_FWD_DECL) || defined(ASIO_BASIC_WAITABLE_TIMER_FWD_DECL) ||          \
    defined(ASIO_BASIC_SIGNAL_SET_HPP) || defined(ASIO_POSIX_BASIC_DESCRIPTOR_HPP) ||              \
    defined(ASIO_IP_BASIC_RESOLVER_FWD_DECL) || defined(BOOST_ASIO_BASIC_SOCKET_FWD_DECL) ||       \
    defined(BOOST_ASIO_BASIC_WAITABLE_TIMER_FWD_DECL) ||                                           \
    defined(BOOST_ASIO_BASIC_SIGNAL_SET_HPP) || defined(BOOST_ASIO_POSIX_BASIC_DESCRIPTOR_HPP) ||  \
    defined(BOOST_ASIO_IP_BASIC_RESOLVER_FWD_DECL)
#error "include <coronet/net/asio/default_native.hpp> before any header of Asio's"
#endif

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/wait_traits.hpp>
#define BOOST_ASIO_BASIC_SOCKET_FWD_DECL
#define BOOST_ASIO_BASIC_STREAM_SOCKET_FWD_DECL
#define BOOST_ASIO_BASIC_DATAGRAM_SOCKET_FWD_DECL
#define BOOST_ASIO_BASIC_RAW_SOCKET_FWD_DECL
#define BOOST_ASIO_BASIC_SEQ_PACKET_SOCKET_FWD_DECL
#define BOOST_ASIO_BASIC_SOCKET_ACCEPTOR_FWD_DECL
#define BOOST_ASIO_BASIC_WAITABLE_TIMER_FWD_DECL
#define BOOST_ASIO_IP_BASIC_RESOLVER_FWD_DECL
#define BOOST_ASIO_BASIC_SIGNAL_SET_FWD_DECL
#define BOOST_ASIO_POSIX_BASIC_DESCRIPTOR_FWD_DECL
#define BOOST_ASIO_POSIX_BASIC_STREAM_DESCRIPTOR_FWD_DECL
#else
#include <asio/wait_traits.hpp>
#define ASIO_BASIC_SOCKET_FWD_DECL
#define ASIO_BASIC_STREAM_SOCKET_FWD_DECL
#define ASIO_BASIC_DATAGRAM_SOCKET_FWD_DECL
#define ASIO_BASIC_RAW_SOCKET_FWD_DECL
#define ASIO_BASIC_SEQ_PACKET_SOCKET_FWD_DECL
#define ASIO_BASIC_SOCKET_ACCEPTOR_FWD_DECL
#define ASIO_BASIC_WAITABLE_TIMER_FWD_DECL
#define ASIO_IP_BASIC_RESOLVER_FWD_DECL
#define ASIO_BASIC_SIGNAL_SET_FWD_DECL
#define ASIO_POSIX_BASIC_DESCRIPTOR_FWD_DECL
#define ASIO_POSIX_BASIC_STREAM_DESCRIPTOR_FWD_DECL
#endif

// Its namespaces may be inline ones of a version, from 1.38.1 on.
#if defined(ASIO_INLINE_NAMESPACE_BEGIN)
#define CORONET_ASIO_BEGIN ASIO_INLINE_NAMESPACE_BEGIN
#define CORONET_ASIO_END ASIO_INLINE_NAMESPACE_END
#elif defined(BOOST_ASIO_INLINE_NAMESPACE_BEGIN)
#define CORONET_ASIO_BEGIN BOOST_ASIO_INLINE_NAMESPACE_BEGIN
#define CORONET_ASIO_END BOOST_ASIO_INLINE_NAMESPACE_END
#else
#define CORONET_ASIO_BEGIN
#define CORONET_ASIO_END
#endif

#if defined(CORONET_ASIO_USE_BOOST)
namespace boost::asio {
#else
namespace asio {
#endif
CORONET_ASIO_BEGIN

template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_socket;
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_stream_socket;
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_datagram_socket;
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_raw_socket;
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_seq_packet_socket;
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_socket_acceptor;
template <
    class Clock, class WaitTraits = wait_traits<Clock>, class Executor = ::coronet::asiox::executor>
class basic_waitable_timer;
namespace ip {
template <class Protocol, class Executor = ::coronet::asiox::executor>
class basic_resolver;
} // namespace ip

#if CORONET_ASIO_VERSION >= 103802
template <class Executor = ::coronet::asiox::executor>
class basic_signal_set;
namespace posix {
template <class Executor = ::coronet::asiox::executor>
class basic_descriptor;
template <class Executor = ::coronet::asiox::executor>
class basic_stream_descriptor;
} // namespace posix
#endif

CORONET_ASIO_END
} // namespace asio
#undef CORONET_ASIO_BEGIN
#undef CORONET_ASIO_END

#include <coronet/net/asio/detail/native_descriptors.hpp>
#include <coronet/net/asio/detail/native_objects.hpp>
#include <coronet/net/asio/detail/native_signals.hpp>
#include <coronet/net/asio/detail/native_timers.hpp>

#if CORONET_ASIO_VERSION < 103802
namespace coronet::asiox::detail {

class descriptors_over_ring final : private over_ring,
                                    public asio_detail::reactive_descriptor_service {
public:
    inline static asio_detail::service_id<descriptors_over_ring> id; // another than its base
    explicit descriptors_over_ring(net::execution_context& context)
        : over_ring(context), asio_detail::reactive_descriptor_service(context) {}
};

} // namespace coronet::asiox::detail

#if defined(CORONET_ASIO_USE_BOOST)
namespace boost::asio::detail {
#else
namespace asio::detail {
#endif

template <class Executor>
requires(!::coronet::asiox::native_executor<Executor>) class io_object_impl<
    signal_set_service, Executor>
    : public io_object_impl<::coronet::asiox::detail::signals_on_ring, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::signals_on_ring, Executor>;

public:
    using base::base;
};
template <class Executor>
requires(!::coronet::asiox::native_executor<Executor>) class io_object_impl<
    reactive_descriptor_service, Executor>
    : public io_object_impl<::coronet::asiox::detail::descriptors_over_ring, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::descriptors_over_ring, Executor>;

public:
    using base::base;
};

} // namespace asio::detail
#endif
