-- kube-scheduler version
print("kube-scheduler " .. require "sys".version)
