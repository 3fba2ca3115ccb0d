# SPDX-License-Identifier: BSL-1.0
#
# coronet_add_library(NAME SOURCES file...  HEADERS file...  PUBLIC target...  PRIVATE target...)
#
# Makes the library coronet_NAME with its alias coronet::NAME, so that it is called the same in this tree, in a tree that
# adds it and when it is installed. HEADERS are the public ones and what they need (detail/); each is compiled alone when
# CMAKE_VERIFY_INTERFACE_HEADER_SETS is on, those of detail/ only with CORONET_VERIFY_DETAILS.
option(CORONET_VERIFY_DETAILS "Compile headers of detail/ alone, too, where headers are verified" OFF)

function(coronet_add_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE")
    set(target coronet_${name})

    add_library(${target} ${arg_SOURCES})
    add_library(coronet::${name} ALIAS ${target})
    set(details ${arg_HEADERS})
    list(FILTER details INCLUDE REGEX "/detail/")
    list(FILTER arg_HEADERS EXCLUDE REGEX "/detail/")
    target_sources(
        ${target}
        PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${arg_HEADERS}
        PUBLIC FILE_SET details TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${details})
    if(NOT CORONET_VERIFY_DETAILS)
        set_target_properties(${target} PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
    endif()
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    if(CORONET_HOOKS)
        target_compile_definitions(${target} PUBLIC CORONET_HOOKS)
    endif()
    if(CORONET_VALGRIND)
        target_compile_definitions(${target} PRIVATE CORONET_VALGRIND)
    endif()
    set_target_properties(
        ${target}
        PROPERTIES EXPORT_NAME ${name}
                   LINKER_LANGUAGE CXX
                   CXX_EXTENSIONS OFF
                   POSITION_INDEPENDENT_CODE ON
                   INSTALL_RPATH "$ORIGIN"
                   VERSION ${PROJECT_VERSION}
                   SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

    if(CORONET_UNITY)
        # To g++ a unit's sources are headers, and it would warn about their types in unnamed namespaces.
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    endif()

    if(CORONET_INSTALL)
        install(
            TARGETS ${target}
            EXPORT coronetTargets
            FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
            FILE_SET details DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    endif()
    set_property(GLOBAL APPEND PROPERTY CORONET_LIBRARIES ${name})
endfunction()
