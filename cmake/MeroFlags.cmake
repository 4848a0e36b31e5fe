# Compiler and linker flags for every target.
add_compile_options(
  -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
  -Wformat=2 -Wcast-qual -fno-common -fstack-protector-strong -fvisibility=hidden)
if(MERO_WERROR)
  add_compile_options(-Werror)
endif()
# Paths of the build machine never reach a binary.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
add_compile_definitions(_POSIX_C_SOURCE=200809L _DEFAULT_SOURCE MERO_VERSION="${PROJECT_VERSION}")
if(MERO_DEV)
  add_compile_definitions(MERO_DEV=1)
endif()
if(MERO_SANITIZE)
  add_compile_options(-fsanitize=${MERO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MERO_SANITIZE})
else()
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
