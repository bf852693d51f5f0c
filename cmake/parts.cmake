# Finds what each part of the project needs, and decides which parts are built.
#
# The library needs a C compiler and libcrypto. Each other part is a cache variable that is AUTO, ON
# or OFF. AUTO builds the part when all that it needs is found, and reports it otherwise; ON makes a
# missing dependency an error. Inside another project only the library is built unless a part is ON.
#
#   DUET_COMMAND   the command duet: popt, libuv, jansson
#   DUET_TESTS     tests, replays of the fuzzers' inputs, examples: cmocka, jansson, libssl
#                  (BUILD_TESTING=OFF turns AUTO off)
#   DUET_BENCH     the benchmarks: libssl
#
# A target of libcrypto is made by CMake's own module, so that neither pkg-config nor a package of
# the consumer's is needed for the library.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 COMPONENTS Crypto)
if(NOT TARGET OpenSSL::Crypto)
    message(FATAL_ERROR "duet needs libcrypto 3.0 or later, with its headers (Debian: libssl-dev)")
endif()
find_package(PkgConfig QUIET)

set(part_default OFF)
if(PROJECT_IS_TOP_LEVEL)
    set(part_default AUTO)
endif()
set(tests_default ${part_default})
if(DEFINED BUILD_TESTING AND NOT BUILD_TESTING)
    set(tests_default OFF)
endif()
set(DUET_COMMAND ${part_default} CACHE STRING "Build the command duet: AUTO, ON or OFF")
set(DUET_TESTS ${tests_default} CACHE STRING "Build the tests: AUTO, ON or OFF")
set(DUET_BENCH ${part_default} CACHE STRING "Build the benchmarks: AUTO, ON or OFF")
set_property(CACHE DUET_COMMAND DUET_TESTS DUET_BENCH PROPERTY STRINGS AUTO ON OFF)

# pkg_target(module): the imported target PkgConfig::MODULE, if pkg-config knows the module.
function(pkg_target module)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(${module} QUIET IMPORTED_TARGET GLOBAL ${module})
    endif()
endfunction()

# decide(part variable target...): sets `part` to whether it is built, and part_status to the line
# that the summary shows for it. A target is what one dependency is found as.
function(decide part variable)
    set(missing)
    foreach(target ${ARGN})
        if(NOT TARGET ${target})
            string(REGEX REPLACE ".*::" "" name ${target})
            list(APPEND missing ${name})
        endif()
    endforeach()
    list(JOIN missing ", " missing)
    set(${part} OFF PARENT_SCOPE)
    if(NOT ${variable})
        set(${part}_status "no (${variable}=${${variable}})" PARENT_SCOPE)
    elseif(NOT missing)
        set(${part} ON PARENT_SCOPE)
        set(${part}_status "yes" PARENT_SCOPE)
    elseif("${${variable}}" STREQUAL AUTO)
        set(${part}_status "NOT BUILT, not found: ${missing}" PARENT_SCOPE)
    else()
        message(FATAL_ERROR "${variable}=${${variable}}, but not found: ${missing}\n"
            "scripts/setup installs what is missing; -D${variable}=OFF leaves this part out.")
    endif()
endfunction()

if(DUET_COMMAND OR DUET_TESTS OR DUET_BENCH OR PROJECT_IS_TOP_LEVEL)
    if(NOT PKG_CONFIG_FOUND)
        message(STATUS "pkg-config is not found: it would find what the command and tests need")
    endif()
    foreach(module popt libuv jansson cmocka)
        pkg_target(${module})
    endforeach()
endif()
decide(with_command DUET_COMMAND PkgConfig::popt PkgConfig::libuv PkgConfig::jansson)
decide(with_tests DUET_TESTS PkgConfig::cmocka PkgConfig::jansson OpenSSL::SSL)
decide(with_bench DUET_BENCH OpenSSL::SSL)
