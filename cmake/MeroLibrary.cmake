# The public library from src/lib and the rooms below it, and what `cmake --install` puts where.
include(GNUInstallDirs)

# The binary interface has a version of its own: raise the first number when a program that was compiled against
# include/merotee before would no longer run, the second when a function is added.
set(MERO_LIBRARY_ABI 1)
set(MERO_LIBRARY_ABI_VERSION 1.0.0)
set(MERO_LIBRARY_MAP ${CMAKE_SOURCE_DIR}/src/lib/libmerotee.map)
set(MERO_LIBRARY_ROOMS policy dcap quote x509 http toml base)

# libmerotee.so.1: exports merotee_* and nothing else. It stays loaded once loaded (nodelete), because libcurl keeps
# pointers to our allocator for the life of the process.
function(mero_library_shared)
  add_library(merotee SHARED $<TARGET_OBJECTS:room_lib>)
  set_target_properties(merotee PROPERTIES LINKER_LANGUAGE C VERSION ${MERO_LIBRARY_ABI_VERSION}
    SOVERSION ${MERO_LIBRARY_ABI} LINK_DEPENDS ${MERO_LIBRARY_MAP})
  target_link_libraries(merotee PRIVATE room_lib)
  target_link_options(merotee PRIVATE -Wl,--version-script=${MERO_LIBRARY_MAP} -Wl,-z,nodelete)
  if(NOT MERO_SANITIZE) # the sanitizers' runtime is in the program, not in its libraries
    target_link_options(merotee PRIVATE -Wl,--no-undefined)
  endif()
endfunction()

# libmerotee.a: one object with all that is needed, in which every name but merotee_* is local, so that a program may
# have its own hex_encode().
function(mero_library_static)
  set(archives "")
  foreach(room ${MERO_LIBRARY_ROOMS})
    list(APPEND archives $<TARGET_FILE:room_${room}>)
  endforeach()
  set(object ${CMAKE_BINARY_DIR}/libmerotee.o)
  set(archive ${CMAKE_BINARY_DIR}/libmerotee.a)
  add_custom_command(OUTPUT ${archive} BYPRODUCTS ${object} COMMAND_EXPAND_LISTS VERBATIM
    COMMAND ${CMAKE_LINKER} -r -o ${object} $<TARGET_OBJECTS:room_lib> --start-group ${archives} --end-group
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS room_lib $<TARGET_OBJECTS:room_lib> ${archives} COMMENT "Linking libmerotee.a")
  add_custom_target(merotee_static ALL DEPENDS ${archive})
endfunction()

# The pkg-config files find the rest from where they lie, so that PREFIX may be chosen when installing.
function(mero_library_pkgconfig)
  set(directory ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  file(RELATIVE_PATH MERO_PC_TO_PREFIX /prefix/${directory} /prefix)
  set(MERO_PC_CFLAGS "")
  set(MERO_PC_KIND "")
  if(MERO_DEV)
    set(MERO_PC_CFLAGS " -DMEROTEE_DEV")
    set(MERO_PC_KIND " (development build: merotee/dev.h can trust other roots)")
  endif()
  foreach(name merotee merotee-static)
    configure_file(${CMAKE_SOURCE_DIR}/packaging/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${directory} COMPONENT library)
  endforeach()
endfunction()

function(mero_library)
  mero_library_shared()
  mero_library_static()
  mero_library_pkgconfig()
  install(TARGETS merotee LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(FILES ${CMAKE_BINARY_DIR}/libmerotee.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/merotee/*.h)
  if(NOT MERO_DEV)
    list(FILTER headers EXCLUDE REGEX "/dev\\.h$")
  endif()
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/merotee COMPONENT library)
endfunction()

# mero_install(program...): those that this build has.
function(mero_install)
  foreach(program ${ARGN})
    if(TARGET ${program})
      install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
    endif()
  endforeach()
endfunction()
