plain = <<END
  one
    two
END
flush = <<-END
    one
      ${name}

    three
  END
trimmed = <<-END
    %{ for n in names ~}
    - ${n}
    %{ endfor ~}
    end
  END
