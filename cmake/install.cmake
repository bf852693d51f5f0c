# What `cmake --install` lays down: headers, both libraries, duet.pc, find_package(duet), manuals,
# and tab completion of the command.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/duet)

install(DIRECTORY include/duet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS duet_static duet_shared EXPORT duet-targets)
install(EXPORT duet-targets NAMESPACE duet:: DESTINATION ${package_dir})

configure_package_config_file(cmake/duetConfig.cmake.in duetConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(duetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/duetConfig.cmake ${PROJECT_BINARY_DIR}/duetConfigVersion.cmake
    DESTINATION ${package_dir})

configure_file(cmake/duet.pc.in duet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/duet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET duet_command)
    install(FILES completions/duet.bash RENAME duet
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES completions/_duet DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES completions/duet.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

foreach(section 1 3 5 7 8)
    file(GLOB pages CONFIGURE_DEPENDS man/*.${section})
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
