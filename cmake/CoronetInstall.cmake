# SPDX-License-Identifier: BSL-1.0
#
# Installs what find_package(coronet) and pkg-config need: the exported targets, their dependencies, one .pc file a
# library and coronet.pc for all of them.
include(CMakePackageConfigHelpers)

get_property(coronet_libraries GLOBAL PROPERTY CORONET_LIBRARIES)
set(coronet_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coronet")
if(BUILD_SHARED_LIBS)
    set(coronet_is_shared TRUE)
else()
    set(coronet_is_shared FALSE)
endif()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/coronetConfig.cmake.in" coronetConfig.cmake
                              INSTALL_DESTINATION "${coronet_package_dir}")
# Until 1.0 a minor version may break what another one promised.
write_basic_package_version_file(coronetConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(
    EXPORT coronetTargets
    NAMESPACE coronet::
    DESTINATION "${coronet_package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/coronetConfig.cmake" "${PROJECT_BINARY_DIR}/coronetConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindLiburing.cmake" DESTINATION "${coronet_package_dir}")

# The .pc files find the prefix from where they lie, so that an installed tree may be moved.
file(RELATIVE_PATH coronet_prefix_from_pc "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" coronet_prefix_from_pc "${coronet_prefix_from_pc}")

# coronet_install_pc(NAME [LIBS words] [REQUIRES words]) with lists as pkg-config wants them.
function(coronet_install_pc name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LIBS;REQUIRES" "")
    configure_file("${PROJECT_SOURCE_DIR}/cmake/coronet.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

# coronet_words_of_links(TARGET VARIABLE): the libraries of this tree that TARGET links, named as pkg-config modules.
function(coronet_words_of_links target variable)
    get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
    list(FILTER links INCLUDE REGEX "^coronet::")
    list(TRANSFORM links REPLACE "^coronet::" "coronet-")
    list(JOIN links " " words)
    set(${variable} "${words}" PARENT_SCOPE)
endfunction()

foreach(library IN LISTS coronet_libraries)
    coronet_words_of_links(coronet_${library} requires)
    if(library STREQUAL "core")
        # A static library does not carry what it was linked with: its users have to name the logger.
        if(coronet_is_shared)
            coronet_install_pc(coronet-core LIBS "-lcoronet_core -pthread" REQUIRES "liburing >= 2.3")
        else()
            coronet_install_pc(coronet-core LIBS "-lcoronet_core -pthread" REQUIRES "liburing >= 2.3, spdlog >= 1.10")
        endif()
    else()
        coronet_install_pc(coronet-${library} LIBS "-lcoronet_${library}" REQUIRES "${requires}")
    endif()
endforeach()

list(TRANSFORM coronet_libraries PREPEND "coronet-" OUTPUT_VARIABLE coronet_modules)
list(JOIN coronet_modules " " coronet_modules)
coronet_install_pc(coronet REQUIRES "${coronet_modules}")
