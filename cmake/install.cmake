# What `cmake --install` installs: headers, both libraries, duet.pc, find_package(duet), the library's
# manuals, guide and examples; with the command also its manuals and tab completion.
#
# Everything is readable for everyone, whatever the umask, and can be moved: neither duet.pc nor the
# package of CMake names the prefix.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/duet)

# Section 3 of the manuals is the library's: it is made from the comments of the headers.
set(folders ${CMAKE_INSTALL_INCLUDEDIR} ${package_dir} ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    ${CMAKE_INSTALL_DOCDIR} ${CMAKE_INSTALL_DOCDIR}/examples)
find_program(DUET_PYTHON NAMES python3 DOC "What makes the manuals of section 3")
set(with_manuals_status "NOT BUILT, not found: python3")
if(DUET_PYTHON)
    set(with_manuals_status "yes")
    file(GLOB_RECURSE manual_sources CONFIGURE_DEPENDS include/duet/*.h examples/*.c)
    set(manuals ${PROJECT_BINARY_DIR}/manuals)
    add_custom_command(OUTPUT ${manuals}/duet.3
        COMMAND ${DUET_PYTHON} -B ${PROJECT_SOURCE_DIR}/scripts/api-manuals ${manuals}
        DEPENDS ${manual_sources} ${PROJECT_SOURCE_DIR}/scripts/api-manuals
            ${PROJECT_SOURCE_DIR}/man/duet.1
        COMMENT "Writing the library's manuals")
    add_custom_target(duet_manuals ALL DEPENDS ${manuals}/duet.3)
    list(APPEND folders ${CMAKE_INSTALL_MANDIR}/man3)
endif()
set(sections)
if(TARGET duet_command)
    set(sections 1 5 7 8)
    list(APPEND folders ${CMAKE_INSTALL_BINDIR})
    foreach(folder bash-completion/completions zsh/site-functions fish/vendor_completions.d)
        list(APPEND folders ${CMAKE_INSTALL_DATADIR}/${folder})
    endforeach()
endif()
foreach(section ${sections})
    file(GLOB pages_${section} CONFIGURE_DEPENDS man/*.${section})
    if(pages_${section})
        list(APPEND folders ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
endforeach()
configure_file(cmake/folders.cmake.in folders.cmake @ONLY)
install(SCRIPT ${PROJECT_BINARY_DIR}/folders.cmake)

if(DUET_PYTHON)
    install(DIRECTORY ${manuals}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
        FILES_MATCHING PATTERN *.3)
endif()
install(FILES docs/api.md docs/protocol.md docs/security.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

install(DIRECTORY include/duet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS duet_static duet_shared EXPORT duet-targets)
install(EXPORT duet-targets NAMESPACE duet:: DESTINATION ${package_dir})

configure_package_config_file(cmake/duetConfig.cmake.in duetConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(duetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/duetConfig.cmake ${PROJECT_BINARY_DIR}/duetConfigVersion.cmake
    DESTINATION ${package_dir})

# duet.pc finds the prefix from where it lies itself, so that it holds for `cmake --install --prefix`.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
    set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
    file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/duet.pc.in duet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/duet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET duet_command)
    install(TARGETS duet_command RUNTIME)
    install(FILES completions/duet.bash RENAME duet
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES completions/_duet DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES completions/duet.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
foreach(section ${sections})
    if(pages_${section})
        install(FILES ${pages_${section}} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
endforeach()
