# SPDX-License-Identifier: BSL-1.0
#
# Finds liburing through pkg-config and offers it as liburing::liburing. Installed beside coronetConfig.cmake, as
# liburing brings no CMake package of its own.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(PC_LIBURING QUIET liburing)
endif()

find_path(Liburing_INCLUDE_DIR liburing.h HINTS ${PC_LIBURING_INCLUDE_DIRS})
find_library(Liburing_LIBRARY uring HINTS ${PC_LIBURING_LIBRARY_DIRS})
set(Liburing_VERSION "${PC_LIBURING_VERSION}")
mark_as_advanced(Liburing_INCLUDE_DIR Liburing_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
    Liburing
    REQUIRED_VARS Liburing_LIBRARY Liburing_INCLUDE_DIR
    VERSION_VAR Liburing_VERSION
    REASON_FAILURE_MESSAGE "(Debian and Ubuntu: apt-get install liburing-dev pkg-config)")

if(Liburing_FOUND AND NOT TARGET liburing::liburing)
    add_library(liburing::liburing UNKNOWN IMPORTED)
    set_target_properties(
        liburing::liburing PROPERTIES IMPORTED_LOCATION "${Liburing_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES
                                                                              "${Liburing_INCLUDE_DIR}")
endif()
