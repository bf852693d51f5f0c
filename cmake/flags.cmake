# The flags of every target, as the interface target duet_flags: warnings, hardening, sanitizers.
#
# Nothing here depends on a source file; a kernel's own flags belong to that file.
include(CheckCCompilerFlag)
include(CheckPIESupported)

option(DUET_WERROR "Treat warnings as errors" OFF)
option(DUET_COVERAGE "Count the lines that tests run (gcc)" OFF)
set(DUET_SANITIZE "" CACHE STRING "Sanitizers, such as address,undefined")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)
get_property(several GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT several)
    set(CMAKE_BUILD_TYPE Release)
endif()

add_library(duet_flags INTERFACE)
target_compile_options(duet_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wcast-qual -Wundef $<$<BOOL:${DUET_WERROR}>:-Werror> -fstack-protector-strong)

# gcc remarks on how 32-bit x86 passes vectors, which matters between libraries alone.
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    target_compile_options(duet_flags INTERFACE -Wno-psabi)
endif()

check_c_compiler_flag(-fcf-protection DUET_HAS_CF_PROTECTION)
if(DUET_HAS_CF_PROTECTION)
    target_compile_options(duet_flags INTERFACE -fcf-protection)
endif()
if(NOT APPLE)
    target_link_options(duet_flags INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack)
endif()

# The folder of the build stays out of what is built, so that two builds give equal files
# (scripts/reproducible); daily work keeps it, for the debugger.
check_c_compiler_flag(-ffile-prefix-map=/a=b DUET_HAS_PREFIX_MAP)
if(DUET_HAS_PREFIX_MAP AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(duet_flags INTERFACE -ffile-prefix-map=${PROJECT_BINARY_DIR}=./build
        -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
endif()

if(DUET_SANITIZE)
    set(sanitize -fsanitize=${DUET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(duet_flags INTERFACE ${sanitize})
    target_link_options(duet_flags INTERFACE ${sanitize})
else()
    # Fortified calls hide from the sanitizers what they would report, and need optimisation.
    set(optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
    target_compile_options(duet_flags INTERFACE
        $<${optimised}:-U_FORTIFY_SOURCE> $<${optimised}:-D_FORTIFY_SOURCE=2>)
endif()
if(DUET_COVERAGE)
    target_compile_options(duet_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(duet_flags INTERFACE --coverage)
endif()
